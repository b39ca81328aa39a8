//! The folder of scripts. Whatever changes in it, the whole folder is looked at again, and a new
//! generation takes the place of the one before at once.

use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::{Moment, ScriptFault};
use crate::settings::Scripts;

use super::{Error, Program};

/// What a script is for; the folder it lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScriptKind {
    /// `fields/`: computes a cell.
    Field,
    /// `flows/`: decides which rows a task becomes.
    Flow,
    /// `lib/`: functions for the others.
    Lib,
}

impl ScriptKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Field, Self::Flow, Self::Lib];

    /// The name of its folder.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Field => "fields",
            Self::Flow => "flows",
            Self::Lib => "lib",
        }
    }
}

/// A file of the folder and the version of it that is live.
#[derive(Debug, Clone)]
pub struct ScriptFile {
    /// What it is for.
    pub kind: ScriptKind,
    /// Its name without folder and ending.
    pub name: String,
    /// What `about()` says.
    pub about: Option<String>,
    /// The live version; none when no version of it was ever good.
    pub program: Option<Program>,
    /// When the live version became so.
    pub loaded: Option<Moment>,
    /// What is wrong with the version in the folder; the live one is an older one then.
    pub fault: Option<ScriptFault>,
}

/// All scripts as they were at one moment. A run keeps the one it started with.
#[derive(Debug, Default)]
pub struct Generation {
    files: Vec<ScriptFile>,
}

impl Generation {
    /// Every file that counts, by kind and name.
    pub fn files(&self) -> &[ScriptFile] {
        &self.files
    }

    /// One file.
    pub fn file(&self, kind: ScriptKind, name: &str) -> Option<&ScriptFile> {
        self.files.iter().find(|file| file.kind == kind && file.name == name)
    }

    /// The live version of a script.
    ///
    /// # Errors
    /// What is wrong with it, or that there is none of this name, with the closest one there is.
    pub fn program(&self, kind: ScriptKind, name: &str) -> Result<Program, ScriptFault> {
        let fault =
            |text: String| ScriptFault { script: format!("{}/{name}", kind.folder()), line: None, column: None, text };
        let file = self.file(kind, name).ok_or_else(|| fault("There is no such script.".to_owned()))?;
        match (&file.program, &file.fault) {
            (Some(program), _) => Ok(program.clone()),
            (None, Some(wrong)) => Err(wrong.clone()),
            (None, None) => Err(fault("It was never loaded.".to_owned())),
        }
    }
}

/// The folder, and the generation that is current.
#[derive(Debug)]
pub struct Library {
    current: RwLock<Arc<Generation>>,
}

impl Library {
    /// Looks at the folder for the first time. Without a folder there are no scripts.
    ///
    /// # Errors
    /// When the folder is there and cannot be read.
    pub fn open(_settings: &Scripts, _now: Moment) -> Result<Self, Error> {
        Ok(Self { current: RwLock::default() })
    }

    /// All scripts as they are now.
    pub fn current(&self) -> Arc<Generation> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}
