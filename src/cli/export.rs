//! `waybill export`

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Map, Value};

use crate::domain::limits::MAX_EXPORT_ROWS;
use crate::export;
use crate::kit::meter::Meter;
use crate::kit::secret;

use super::fail::Failure;
use super::{Place, start};

const BAR: &str = "{wide_bar} {pos}/{len} rows {eta}";

/// An export without a server: every key of the request is a flag.
#[derive(Debug, Args)]
pub(super) struct Export {
    /// xlsx, json, csv or ndjson
    #[arg(long)]
    download: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
    /// Writes over a file that is there
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    keys: Keys,
}

/// The keys of the request, as they are documented for it.
#[derive(Debug, Args)]
struct Keys {
    /// Task keys or component ids, comma-separated, in the order of the columns
    #[arg(long)]
    fields: Option<String>,
    /// UNASSIGNED, ONGOING, DONE, comma-separated
    #[arg(long)]
    status: Option<String>,
    /// Ids of flows, comma-separated
    #[arg(long)]
    flow_id: Option<String>,
    /// Names of flows, comma-separated
    #[arg(long)]
    flow: Option<String>,
    /// Ids of hubs, comma-separated
    #[arg(long)]
    hub_id: Option<String>,
    /// E-mail of an assignee
    #[arg(long)]
    assignee: Option<String>,
    /// E-mail or name of who did the task
    #[arg(long)]
    done_by: Option<String>,
    /// createdTime, startTime, doneTime, endTime or updatedTime
    #[arg(long)]
    time_by: Option<String>,
    /// The earliest time, inclusive
    #[arg(long)]
    time_from: Option<String>,
    /// The latest time, inclusive
    #[arg(long)]
    time_to: Option<String>,
    /// A text in title, content, refId or _id
    #[arg(long)]
    q: Option<String>,
    /// Ids of tasks, comma-separated
    #[arg(long)]
    ids: Option<String>,
    /// Any known field
    #[arg(long)]
    sort_by: Option<String>,
    /// asc or desc
    #[arg(long)]
    sort_order: Option<String>,
    /// The page; without page and limit everything is exported
    #[arg(long)]
    page: Option<u64>,
    /// Rows of a page
    #[arg(long)]
    limit: Option<u64>,
    /// The zone of date cells
    #[arg(long)]
    timezone: Option<String>,
    /// The title of the file
    #[arg(long)]
    name: Option<String>,
    /// Id of the export config that says which columns there are and which scripts shape them
    #[arg(long)]
    export_config_id: Option<String>,
}

impl Keys {
    fn body(self, download: String) -> Value {
        let limit = match (self.page, self.limit) {
            (None, None) => Some(MAX_EXPORT_ROWS),
            (_, limit) => limit,
        };
        let texts = [
            ("download", Some(download)),
            ("fields", self.fields),
            ("status", self.status),
            ("flowId", self.flow_id),
            ("flow", self.flow),
            ("hubId", self.hub_id),
            ("assignee", self.assignee),
            ("doneBy", self.done_by),
            ("timeBy", self.time_by),
            ("timeFrom", self.time_from),
            ("timeTo", self.time_to),
            ("q", self.q),
            ("ids", self.ids),
            ("sortBy", self.sort_by),
            ("sortOrder", self.sort_order),
            ("timezone", self.timezone),
            ("name", self.name),
            ("exportConfigId", self.export_config_id),
        ];
        let texts = texts.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::from(value?))));
        let numbers = [("page", self.page), ("limit", limit)];
        let numbers = numbers.into_iter().filter_map(|(key, value)| Some((key.to_owned(), Value::from(value?))));
        Value::Object(texts.chain(numbers).collect::<Map<_, _>>())
    }
}

impl Export {
    pub(super) fn run(self, place: &Place) -> Result<(), Failure> {
        if self.output.exists() && !self.force {
            let message = format!("{} is there already. Use --force to write over it.", self.output.display());
            return Err(Failure::usage(message));
        }
        let app = start::open(start::settings(place)?)?;
        let caller = start::operator(app.settings.organization.id);
        let body = self.keys.body(self.download).to_string();
        let meter = Meter::new();
        let plan = export::plan(&app, &caller, body.as_bytes(), &meter)?;
        if plan.extension() == "zip" && self.output.extension().is_some_and(|extension| extension == "json") {
            start::say(&format!(
                "More than 10,000 tasks as JSON are a zip of several files; {} will be one.",
                self.output.display()
            ));
        }
        let mut draft = Draft::beside(&self.output, plan.rows(), meter.clone())?;
        let outcome = export::stream(&app, plan, &mut draft, &meter)?;
        draft.keep(&self.output)?;
        let made = match outcome.rows == outcome.total {
            true => format!("{} tasks", outcome.total),
            false => format!("{} rows of {} tasks", outcome.rows, outcome.total),
        };
        start::say(&format!("{made} in {}, {} matched", self.output.display(), outcome.matched));
        outcome.warnings.iter().for_each(|warning| start::say(&format!("note: {warning}")));
        Ok(())
    }
}

/// The output on its way: beside its place, so that it can be moved there whole.
struct Draft {
    file: io::BufWriter<File>,
    path: PathBuf,
    bar: ProgressBar,
    meter: Meter,
}

impl Draft {
    fn beside(output: &Path, rows: u64, meter: Meter) -> Result<Self, Failure> {
        let name = format!(".waybill-{}", secret::random_text(12));
        let path = output.parent().unwrap_or(Path::new("")).join(name);
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        let file = file.map_err(|error| Failure::new(format!("{} cannot be written: {error}", output.display())))?;
        Ok(Self { file: io::BufWriter::with_capacity(256 * 1024, file), path, bar: start::bar(rows, BAR), meter })
    }

    fn keep(mut self, output: &Path) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        self.bar.finish_and_clear();
        fs::rename(&self.path, output)
    }
}

impl Write for Draft {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.file.write(bytes)?;
        self.bar.set_position(self.meter.rows().0);
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Once it is kept there is nothing left here.
        let _ = fs::remove_file(&self.path);
    }
}
