//! What an export is asked for, before anything is looked up.

use super::field::{FieldNames, SWITCHES};
use super::filter::TimeRange;
use super::limits::{MAX_EXPORT_ROWS, MAX_FILTER_IDS};
use super::request::Params;
use super::task::{Status, TimeField};
use super::{Filter, Id, Moment, Order, Zone};

/// The file formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Download {
    /// An Excel workbook.
    Xlsx,
    /// One JSON array, or a zip of them above 10,000 tasks.
    Json,
    /// Comma-separated values.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

impl Download {
    /// Every format, in the contract's order.
    pub const ALL: [Self; 4] = [Self::Xlsx, Self::Json, Self::Csv, Self::Ndjson];

    /// The word on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xlsx => "xlsx",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    /// The format of this word.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// How a column's values become cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// By the type of each JSON value.
    Auto,
    /// Date-times become date cells.
    Time,
    /// `2025-06-15` becomes a date cell.
    Date,
    /// Addresses of files, which can be clicked.
    Url,
    /// Lists whose items have a sheet of their own; here they are counted.
    List,
}

/// One column of a file: a task key and how it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The task key, and the key in JSON files.
    pub id: String,
    /// What stands in the header row.
    pub header: String,
    /// How its values become cells.
    pub kind: ColumnKind,
    /// An Excel number format that takes the place of the usual one.
    pub format: Option<String>,
    /// Its width in characters; none for one that fits the first rows.
    pub width: Option<u16>,
}

/// The selecting half of a request, shared by `POST /tasks/export` and `GET /tasks`.
#[derive(Debug, Clone, Default)]
pub struct Selecting {
    /// What is meant; scope is added later.
    pub filter: Filter,
    /// The order, by default the newest `createdTime` first.
    pub order: Order,
    /// The page asked for.
    pub page: Option<u64>,
    /// The rows of a page asked for.
    pub limit: Option<u64>,
    /// The columns asked for, in order, not yet known to exist.
    pub fields: Option<Vec<String>>,
}

impl Selecting {
    /// Reads the keys of contract 2 that select, order and page. `names` may be sorted by, `columns`
    /// may stand in `fields`, and `most` is the highest `limit`.
    pub fn read(params: &mut Params, zone: &Zone, names: &FieldNames, columns: &FieldNames, most: u64) -> Self {
        let by = params.string("sortBy").map(|by| by.trim().to_owned()).filter(|by| !by.is_empty());
        if let Some(by) = by.as_deref().filter(|by| !names.contains(by)) {
            params.invalid::<()>("sortBy", &names.unknown(by));
        }
        let descending = params.one_of("sortOrder", &["asc", "desc"], |word| match word {
            "asc" => Some(false),
            "desc" => Some(true),
            _ => None,
        });
        let default = Order::default();
        Self {
            fields: read_fields(params, columns),
            page: params.integer("page", 1, u64::MAX),
            limit: params.integer("limit", 1, most),
            order: Order { by: by.unwrap_or(default.by), descending: descending.unwrap_or(default.descending) },
            filter: Filter {
                status: read_status(params),
                flow_ids: params.list("flowId").map(known_ids),
                flows: params.list("flow"),
                hub_ids: params.list("hubId").map(known_ids),
                assignee: lower(params.string("assignee")),
                done_by: lower(params.string("doneBy")).map(|name| vec![name]),
                time: read_time(params, zone),
                text: lower(params.string("q")),
                ids: read_ids(params),
                scope_hubs: None,
                scope_own: None,
            },
        }
    }
}

/// A valid `POST /tasks/export`, as asked.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// The file format.
    pub download: Download,
    /// What to select.
    pub selecting: Selecting,
    /// The ids of hubs and flows as they were given, for the warnings about unknown ones.
    pub given_flow_ids: Vec<String>,
    /// As `given_flow_ids`.
    pub given_hub_ids: Vec<String>,
    /// The zone that date cells are shown in.
    pub zone: Zone,
    /// The file title.
    pub name: Option<String>,
    /// Whether the caller does not wait for the file.
    pub background: bool,
    /// The key under which the caller asks for it once and no more.
    pub once: Option<String>,
}

impl ExportRequest {
    /// Reads and checks a request body, but for `exportConfigId`, whose config `zone` and `columns`
    /// come from.
    ///
    /// # Errors
    /// `Invalid` with every fault.
    pub fn read(mut params: Params, zone: &Zone, names: &FieldNames, columns: &FieldNames) -> super::Result<Self> {
        let formats = Download::ALL.map(Download::name);
        let download = match params.required("download") {
            Some(_) => params.one_of("download", &formats, Download::named),
            None => None,
        };
        let given = params.string("timezone").filter(|name| !name.is_empty());
        let export_zone = match given.as_deref().map(Zone::named) {
            None => Some(zone.clone()),
            Some(Some(zone)) => Some(zone),
            Some(None) => params.invalid("timezone", " Use an IANA name such as Asia/Jakarta."),
        };
        let given_flow_ids = params.list("flowId").unwrap_or_default();
        let given_hub_ids = params.list("hubId").unwrap_or_default();
        let faults_before = params.faults.len();
        let read_in = export_zone.as_ref().unwrap_or(zone);
        let selecting = Selecting::read(&mut params, read_in, names, columns, MAX_EXPORT_ROWS);
        params.faults.drop_repeats(faults_before);
        let background = params.boolean("background").unwrap_or(false);
        params.boolean("notify");
        let name = read_name(&mut params);
        let once = read_once(&mut params);
        for older in ["orderBy", "limitTask"] {
            if params.value(older).is_some() {
                params.fault::<()>(older, "is not supported. Leave it out.");
            }
        }
        params.finish()?;
        // Both are there: had one been missing, there would have been a fault.
        let (Some(download), Some(zone)) = (download, export_zone) else {
            return Err(super::Error::invalid("The download field is required."));
        };
        Ok(Self { download, selecting, given_flow_ids, given_hub_ids, zone, name, background, once })
    }
}

fn lower(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty())
}

/// Ids that do not read as ids match nothing, so they are left out; the list stays a demand.
fn known_ids(texts: Vec<String>) -> Vec<Id> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

fn read_status(params: &mut Params) -> Option<Vec<Status>> {
    let names = params.list("status")?;
    let allowed = Status::ALL.map(Status::name).join(", ");
    let status: Option<Vec<_>> = names.iter().map(|name| Status::named(name)).collect();
    status.or_else(|| params.invalid("status", &format!(" Allowed: {allowed}.")))
}

fn read_time(params: &mut Params, zone: &Zone) -> Option<TimeRange> {
    let by = params.one_of("timeBy", &TimeField::ALL.map(TimeField::name), TimeField::named);
    let mut read = |key, parse: fn(&str, &Zone) -> Option<Moment>| {
        let text = params.string(key)?;
        parse(&text, zone)
            .or_else(|| params.fault(key, "must be a date or a date-time like 2025-06-15T08:00:00+00:00."))
    };
    let from = read("timeFrom", Moment::parse_from);
    let until = read("timeTo", Moment::parse_until);
    if let (Some(from), Some(until)) = (from, until)
        && until < from
    {
        params.fault::<()>("timeTo", "must not be before timeFrom.");
    }
    (from.is_some() || until.is_some()).then_some(TimeRange { by: by.unwrap_or(TimeField::Created), from, until })
}

fn read_ids(params: &mut Params) -> Option<Vec<Id>> {
    let texts = params.list("ids")?;
    if texts.len() > MAX_FILTER_IDS {
        return params.fault("ids", &format!("must not have more than {MAX_FILTER_IDS} ids."));
    }
    let ids: Result<Vec<Id>, _> = texts.iter().map(|text| text.parse()).collect();
    let Ok(mut ids) = ids else { return params.fault("ids", "must be ids of 24 lower-case hex characters.") };
    ids.sort_unstable();
    ids.dedup();
    Some(ids)
}

fn read_fields(params: &mut Params, names: &FieldNames) -> Option<Vec<String>> {
    let fields = params.list("fields")?;
    for (place, field) in fields.iter().enumerate() {
        if fields[..place].contains(field) {
            params.fault::<()>("fields", &format!("must not name {field} twice."));
        }
        if !names.contains(field) && !SWITCHES.contains(&field.as_str()) {
            params.invalid::<()>("fields", &names.unknown(field));
        }
    }
    Some(fields)
}

/// The longest idempotency key, in bytes.
pub const MAX_ONCE_BYTES: usize = 255;

/// Whether a text can be an idempotency key.
pub fn is_once(text: &str) -> bool {
    (1..=MAX_ONCE_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn read_once(params: &mut Params) -> Option<String> {
    let once = params.string("idempotencyKey")?;
    if is_once(&once) {
        return Some(once);
    }
    params.fault("idempotencyKey", "must be 1 to 255 visible ASCII characters.")
}

fn read_name(params: &mut Params) -> Option<String> {
    let name = params.string("name")?;
    let name = name.trim();
    if name.is_empty() {
        return None;
    }
    if name.chars().count() > 100 || name.chars().any(char::is_control) {
        return params.fault("name", "must be at most 100 characters without control characters.");
    }
    Some(name.to_owned())
}
