//! All scripts as they were at one moment.

use std::sync::Arc;

use crate::domain::request::closest;
use crate::domain::{Moment, ScriptFault};

use super::Program;
use super::compiler::Compiler;

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

    /// The kind that lies in this folder.
    pub fn of_folder(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.folder() == name)
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
    /// The text of the live version.
    pub text: Option<Arc<str>>,
    /// When the live version became so.
    pub loaded: Option<Moment>,
    /// What is wrong with the version in the folder; the live one is an older one then.
    pub fault: Option<ScriptFault>,
    /// The version in the folder, or why it is not read.
    pub(super) seen: Result<Arc<str>, ScriptFault>,
}

impl ScriptFile {
    /// `fields/minutes`, as faults name it.
    pub fn label(&self) -> String {
        label(self.kind, &self.name)
    }
}

/// All scripts as they were at one moment. A run keeps the one it started with.
#[derive(Debug)]
pub struct Generation {
    pub(super) files: Vec<ScriptFile>,
    pub(super) strays: Vec<ScriptFault>,
    pub(super) compiler: Arc<Compiler>,
}

impl Generation {
    /// Every file that counts, by kind and name.
    pub fn files(&self) -> &[ScriptFile] {
        &self.files
    }

    /// One file.
    pub fn file(&self, kind: ScriptKind, name: &str) -> Option<&ScriptFile> {
        let place = self.files.binary_search_by(|file| (file.kind, file.name.as_str()).cmp(&(kind, name))).ok()?;
        self.files.get(place)
    }

    /// Files that lie beside the three folders, each with what to do about it.
    pub fn strays(&self) -> &[ScriptFault] {
        &self.strays
    }

    /// Everything that is wrong with the folder's files.
    pub fn faults(&self) -> impl Iterator<Item = &ScriptFault> {
        self.files.iter().filter_map(|file| file.fault.as_ref()).chain(&self.strays)
    }

    /// The live version of a script.
    ///
    /// # Errors
    /// What is wrong with it, or that there is none of this name, with the closest one there is.
    pub fn program(&self, kind: ScriptKind, name: &str) -> Result<Program, ScriptFault> {
        let fault = |text: String| ScriptFault { script: label(kind, name), line: None, column: None, text };
        let Some(file) = self.file(kind, name) else {
            let alike = self.files.iter().filter(|file| file.kind == kind).map(|file| file.name.as_str());
            let hint = closest(name, alike).map(|alike| format!(" Did you mean {alike}?"));
            return Err(fault(format!("There is no such script.{}", hint.unwrap_or_default())));
        };
        match (&file.program, &file.fault) {
            (Some(program), _) => Ok(program.clone()),
            (None, Some(wrong)) => Err(wrong.clone()),
            (None, None) => Err(fault("No version of it was ever live.".to_owned())),
        }
    }

    /// Compiles the expression of a config's column, which may use this generation's `lib`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn expression(&self, label: &str, text: &str) -> Result<Program, ScriptFault> {
        self.compiler.expression(label, text)
    }
}

/// `fields/minutes`
pub(super) fn label(kind: ScriptKind, name: &str) -> String {
    format!("{}/{name}", kind.folder())
}
