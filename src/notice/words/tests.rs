use std::fs;

use super::*;
use crate::domain::export_log::{File, Place, State};
use crate::domain::{Caller, Channel, Id, Moment};

fn log(state: State) -> ExportLog {
    let caller = Caller {
        user: "ana".to_owned(),
        email: "ana@example.org".to_owned(),
        name: "Ana <script>alert(1)</script>\r\nBcc: bo@example.org".to_owned(),
        organization: Id([1; 12]),
        permissions: vec!["*".to_owned()],
        hubs: None,
        own: false,
    };
    let title = "Visits & more\r\nof May".to_owned();
    let mut log = ExportLog::queued(Id([3; 12]), caller, Moment(1_750_000_000_000), title, "{}".to_owned());
    (log.state, log.rows, log.matched) = (state, 100_000, 1_200_000);
    log.completed = Some(Moment(1_750_000_060_000));
    log.warnings = vec!["Only tasks of the hubs you may see are included.".to_owned()];
    match state {
        State::Failed => log.error = Some("The disk has too little space for this export.".to_owned()),
        _ => {
            log.file = Some(File {
                key: "k".to_owned(),
                place: Place::Folder,
                name: "Visits of May.xlsx".to_owned(),
                kind: "xlsx".to_owned(),
                size: 12_345_678,
                sha256: String::new(),
                expires: Moment(1_752_592_060_000),
            });
        }
    }
    log
}

fn letter(settings: &Mail, told: Told) -> Letter {
    let notice = Notice {
        id: Id([4; 12]),
        organization: Id([1; 12]),
        export: Id([3; 12]),
        channel: Channel::Mail("ana@example.org".to_owned()),
        told,
        attempts: 0,
        next: Moment(0),
        last_error: None,
    };
    let state = if told == Told::Done { State::Done } else { State::Failed };
    let link = (told == Told::Done).then(|| "https://example.org/files/k?a=1&b=2".to_owned());
    Words::new(settings).letter(&notice, "ana@example.org", &log(state), link, &Zone::named("Asia/Jakarta").unwrap())
}

fn in_language(language: Language) -> Mail {
    Mail { language, ..Mail::default() }
}

#[test]
fn a_finished_export_is_told_with_all_that_one_wants_to_know() {
    let letter = letter(&in_language(Language::English), Told::Done);
    assert_eq!(letter.subject, "Your export is ready: Visits & more  of May");
    assert_eq!(letter.id, format!("{}.done.{}", Id([3; 12]), Id([4; 12])));
    for part in [
        "Rows:     100,000 (page and limit left out 1,100,000 more)\n",
        "File:     Visits of May.xlsx, 12.3 MB\n",
        "Asked:    15 June 2025, 22:06 (Asia/Jakarta)\n",
        "https://example.org/files/k?a=1&b=2\n",
        "kept until 15 July 2025, 22:07 (Asia/Jakarta).\n",
        "\nPlease note:\n- Only tasks of the hubs you may see are included.\n",
    ] {
        assert!(letter.text.contains(part), "{part}: {}", letter.text);
    }
    for part in ["100,000", "12.3 MB", "href=\"https://example.org/files/k?a=1&amp;b=2\"", "Visits &amp; more"] {
        assert!(letter.html.contains(part), "{part}: {}", letter.html);
    }
}

#[test]
fn nothing_that_people_name_breaks_out_of_its_place() {
    let letter = letter(&in_language(Language::English), Told::Done);
    assert!(!letter.html.contains("<script>") && letter.html.contains("Ana &lt;script&gt;"), "{}", letter.html);
    let name = letter.to.name.unwrap();
    assert!(!name.contains(['\r', '\n']) && !letter.subject.contains(['\r', '\n']));
}

#[test]
fn a_failed_one_says_why() {
    for (language, subject) in
        [(Language::English, "Your export could not be made: "), (Language::Indonesian, "Ekspor Anda gagal dibuat: ")]
    {
        let letter = letter(&in_language(language), Told::Failed);
        assert!(letter.subject.starts_with(subject), "{}", letter.subject);
        for part in [&letter.text, &letter.html] {
            assert!(part.contains("The disk has too little space for this export."), "{part}");
            assert!(!part.contains("{{") && !part.contains("href"), "{part}");
        }
    }
}

#[test]
fn indonesian_has_its_own_words_numbers_and_months() {
    let letter = letter(&in_language(Language::Indonesian), Told::Done);
    assert_eq!(letter.subject, "Ekspor Anda sudah siap: Visits & more  of May");
    for part in ["Baris:    100.000 (1.100.000 lainnya", "12,3 MB", "15 Juni 2025, 22:06", "sampai 15 Juli 2025"] {
        assert!(letter.text.contains(part), "{part}: {}", letter.text);
    }
    assert!(letter.html.contains("Unduh"));
}

#[test]
fn an_organisation_is_written_to_in_its_own_language_and_others_in_that_of_the_server() {
    let subject = |organization| {
        let languages = [(Id([organization; 12]), Language::Indonesian)].into();
        letter(&Mail { languages, ..Mail::default() }, Told::Done).subject
    };
    assert!(subject(1).starts_with("Ekspor Anda sudah siap: "));
    assert!(subject(2).starts_with("Your export is ready: "));
}

#[test]
fn a_template_of_the_folder_takes_the_place_of_the_shipped_one_unless_it_is_broken() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Mail { templates_dir: Some(folder.path().to_owned()), ..Mail::default() };
    let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    put("done.en.txt", "Subject: {{rows}} rows\n\nFetch them: {{link}}\n");
    let own = letter(&settings, Told::Done);
    assert_eq!(
        (own.subject.as_str(), own.text.as_str()),
        ("100,000 rows", "Fetch them: https://example.org/files/k?a=1&b=2\n")
    );
    assert!(own.html.contains("Download"), "the other part is ours");
    for broken in ["Subject: {{rowz}}\n\n", "no subject\n", "Subject: {{#link}}\n"] {
        put("done.en.txt", broken);
        let shipped = letter(&settings, Told::Done);
        assert_eq!(shipped.subject, "Your export is ready: Visits & more  of May", "{broken}");
    }
    fs::write(folder.path().join("done.en.txt"), [0xff, 0xfe]).unwrap();
    assert!(letter(&settings, Told::Done).text.contains("is ready"));
}
