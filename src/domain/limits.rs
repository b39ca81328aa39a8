//! Every limit that belongs to the product rather than to an operator's choice.

/// The most rows one export may have (contract 2).
pub const MAX_EXPORT_ROWS: u64 = 1_000_000;
/// Rows up to which a background export does not wait behind larger ones.
pub const SMALL_EXPORT_ROWS: u64 = 10_000;
/// Rows up to which an export that calls no scripts is made on one thread.
pub const FEW_EXPORT_ROWS: u64 = 100;
/// Runs of one export that may be interrupted before it is given up (reliability.md 3.1).
pub const MAX_ATTEMPTS: u32 = 3;
/// Tasks in each JSON file of a zip (contract 2, JSON).
pub const JSON_PART_TASKS: u64 = 10_000;
/// The most ids in the `ids` filter (contract 2).
pub const MAX_FILTER_IDS: usize = 10_000;
/// The most tasks in one bulk request (contract 6).
pub const MAX_BULK_TASKS: usize = 2_000;
/// The most tasks on one page of `GET /tasks` (contract 6).
pub const MAX_TASK_PAGE: u64 = 1_000;
/// Objects and lists inside each other in any JSON that is taken in.
pub const MAX_JSON_DEPTH: usize = 64;
/// Bytes of one task's JSON.
pub const MAX_TASK_BYTES: usize = 4 * 1024 * 1024;
/// Keys of one task.
pub const MAX_TASK_KEYS: usize = 20_000;
/// UTF-16 units in one cell of a workbook (Excel).
pub const MAX_CELL_UNITS: usize = 32_767;
/// Rows of a sheet, with its header (Excel).
pub const MAX_SHEET_ROWS: u64 = 1_048_576;
/// Cells of the sheet of tasks, rows times columns, empty ones too: more than any program opens.
pub const MAX_SHEET_CELLS: u64 = 500_000_000;
/// Bytes of a workbook above which it is said that programs need much memory for it.
pub const LARGE_WORKBOOK_BYTES: u64 = 500_000_000;
/// Links of a sheet (Excel).
pub const MAX_SHEET_LINKS: u64 = 65_530;
/// Bytes of the address of a link (Excel).
pub const MAX_LINK_BYTES: usize = 2_079;
/// UTF-16 units of a sheet's name (Excel).
pub const MAX_SHEET_NAME_UNITS: usize = 31;
/// Columns of a sheet (Excel).
pub const MAX_SHEET_COLUMNS: usize = 16_384;
/// Bad lines of a load that are told one by one (contract 6).
pub const MAX_TOLD_LINES: usize = 100;
/// Repaired cells that are told one by one (contract 2, The workbook).
pub const MAX_TOLD_REPAIRS: usize = 1_000;
/// Faults of scripts that are told one by one (scripting.md, Faults).
pub const MAX_TOLD_FAULTS: usize = 1_000;
/// Export configs of one organisation.
pub const MAX_CONFIGS: usize = 1_000;
/// Bytes of one export config's JSON.
pub const MAX_CONFIG_BYTES: usize = 1024 * 1024;
/// Columns that one export config may list.
pub const MAX_CONFIG_FIELDS: usize = 2_000;
/// Flows that one export config may name.
pub const MAX_CONFIG_FLOWS: usize = 1_000;
/// Entries of a list inside a column of an export config.
pub const MAX_CONFIG_ENTRIES: usize = 1_000;
/// Faults after which no more columns and flows of an export config are looked at.
pub const MAX_CONFIG_FAULTS: usize = 100;
/// The most export configs on one page of a list.
pub const MAX_CONFIG_PAGE: u64 = 100;
/// Characters of the name of a flow, a hub or a config.
pub const MAX_NAME_CHARS: usize = 200;
/// The width of a column in characters (Excel).
pub const MAX_COLUMN_WIDTH: f64 = 255.0;
/// Scripts in the folder of scripts.
pub const MAX_SCRIPTS: usize = 1_000;
/// Bytes of one script's file.
pub const MAX_SCRIPT_BYTES: u64 = 256 * 1024;
/// Examples of one script.
pub const MAX_SCRIPT_EXAMPLES: usize = 100;
/// Characters of a script's name.
pub const MAX_SCRIPT_NAME: usize = 64;
