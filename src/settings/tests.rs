use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::domain::Language;
use crate::kit::secret::Secret;

fn load(text: &str, variables: &[(&str, &str)]) -> Result<Settings, Faults> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let in_folder = |text: &str| text.replace(&format!("{}/", folder.path().display()), "");
    let mut settings = Settings::load(Some(&path), variables)
        .map_err(|faults| Faults(faults.0.iter().map(|f| in_folder(f)).collect()))?;
    for dir in [&mut settings.data.dir, &mut settings.scripts.dir] {
        *dir = dir.strip_prefix(folder.path()).unwrap_or(dir).to_owned();
    }
    Ok(settings)
}

#[test]
fn the_shipped_file_names_every_key_and_says_the_defaults() {
    let shipped = include_str!("../../config.toml");
    assert_eq!(load(shipped, &[]).unwrap(), Settings::default());
    // Every key stands there, set to its default.
    let mut section = String::new();
    let mut named = Vec::new();
    for line in shipped.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| !line.starts_with('#')) {
            named.push(format!("{section}{name}"));
        }
    }
    let keys: Vec<_> = keys::KEYS.iter().map(|key| key.name).collect();
    assert_eq!(named, keys);
}

#[test]
fn all_faults_are_told_at_once_with_their_lines() {
    let text = "timezone = \"Mars\"\n[server]\nlisten = 8080\nmax_conections = 5\n[export]\ndates = \"both\"\n[exports]\nthreads = 1\n";
    let faults =
        load(text, &[("WAYBILL_LOG__LEVEL", "loud"), ("WAYBILL_LOG__COLOUR", "red"), ("HOME", "/")]).unwrap_err();
    assert_eq!(
        faults.0,
        [
            "config.toml:1: timezone must be an IANA time zone like Asia/Jakarta",
            "config.toml:3: server.listen must be a text in quotes, not a number",
            "config.toml:4: server.max_conections is not a setting. Did you mean server.max_connections?",
            "config.toml:6: export.dates must be one of cells, text",
            "config.toml:8: exports.threads is not a setting. Did you mean export.threads?",
            "WAYBILL_LOG__LEVEL: must be one of error, warn, info, debug, trace",
            "WAYBILL_LOG__COLOUR: log.colour is not a setting.",
        ]
    );
}

#[test]
fn a_file_that_is_no_toml_is_told_with_its_line() {
    let faults = load("timezone = \"UTC\"\n[server\n", &[]).unwrap_err();
    assert!(faults.0[0].starts_with("config.toml:2: "), "{faults:?}");
    let faults = load("[server]\nlisten = 127.0.0.1:8080\n[log]\nlevel\n", &[]).unwrap_err();
    assert_eq!(faults.0.len(), 2, "{faults:?}");
    assert!(faults.0[1].starts_with("config.toml:4: "), "{faults:?}");
    let faults = load("timezone = \"UTC\"\ntimezone = \"UTC\"\n", &[]).unwrap_err();
    assert_eq!(faults.0, ["config.toml:2: duplicate key"]);
}

#[test]
fn a_section_is_no_key_and_a_key_is_no_section() {
    let fault = |text: &str| load(text, &[]).unwrap_err().0.join("\n");
    let cure = "server is a section: write [server], and its keys below";
    assert_eq!(fault("server = 5\n"), format!("config.toml:1: {cure}"));
    assert_eq!(fault("[[server]]\nlisten = \"127.0.0.1:1\"\n"), format!("config.toml:1: {cure}"));
    assert_eq!(fault("[timezone]\n"), "config.toml:1: timezone must be a text in quotes, not a table");
    assert_eq!(fault("\n[colours]\n"), "config.toml:2: colours is not a setting.");
    assert_eq!(fault("[server.tls]\nkey = 1\n"), "config.toml:1: server.tls is not a setting.");
}

#[test]
fn every_value_has_its_bounds() {
    for (key, bad) in [
        ("server.listen", "\"localhost\""),
        ("server.public_url", "\"example.org\""),
        ("server.public_url", "\"https:///files\""),
        ("server.public_url", "\"https://example.org/\\r\\nX: y\""),
        ("server.max_connections", "0"),
        ("server.header_seconds", "301"),
        ("server.body_idle_seconds", "-1"),
        ("server.write_stall_seconds", "1.5"),
        ("server.grace_seconds", "\"25\""),
        ("server.max_body_bytes", "1"),
        ("server.max_bulk_bytes", "99999999999999999999"),
        ("server.rate_per_second", "0"),
        ("server.rate_burst", "0"),
        ("data.dir", "\"\""),
        ("data.cache_bytes", "1000"),
        ("organization.id", "\"1\""),
        ("organization.name", "true"),
        ("export.direct_default_limit", "1000001"),
        ("export.direct_max_rows", "1000001"),
        ("export.direct_at_once", "0"),
        ("export.threads", "-1"),
        ("scripts.dir", "\"\""),
        ("scripts.on_fault", "\"stop\""),
        ("scripts.max_operations", "99"),
        ("scripts.max_call_ms", "0"),
        ("scripts.max_call_depth", "65"),
        ("scripts.max_string_bytes", "1048577"),
        ("scripts.max_list_items", "0"),
        ("scripts.max_map_keys", "0"),
        ("scripts.max_call_bytes", "1000"),
        ("retention.days", "0"),
        ("storage.kind", "\"s3\""),
        ("storage.link_hours", "169"),
        ("storage.delivery", "\"mail\""),
        ("storage.endpoint", "\"s3.example.org\""),
        ("storage.endpoint", "\"https://example.org/s3\""),
        ("storage.public_endpoint", "\"file:///files\""),
        ("storage.region", "\"here and there\""),
        ("storage.bucket", "\"a/b\""),
        ("storage.prefix", "\"a?b\""),
        ("storage.create_bucket", "\"yes\""),
        ("storage.secret_key", "5"),
        ("storage.part_bytes", "5242880"),
        ("storage.call_seconds", "0"),
        ("storage.part_seconds", "3601"),
        ("storage.retry_seconds", "-1"),
        ("mail.port", "0"),
        ("mail.security", "\"ssl\""),
        ("mail.from", "\"Exports\""),
        ("mail.language", "\"fr\""),
        ("mail.languages", "\"id\""),
        ("mail.languages", "{ \"1\" = \"id\" }"),
        ("mail.languages", "{ \"5f0c1d2e3a4b5c6d7e8f9a0b\" = 5 }"),
        ("mail.timeout_seconds", "0"),
        ("mail.host", "[\"a\", \"b\"]"),
        ("webhook.urls", "[\"ftp://example.org\"]"),
        ("webhook.urls", "[\"https://me:pw@example.org/\"]"),
        ("webhook.urls", "[1]"),
        ("webhook.secret", "\"short\""),
        ("webhook.timeout_seconds", "601"),
        ("log.format", "\"xml\""),
    ] {
        let faults = load(&format!("{key} = {bad}\n"), &[]).unwrap_err();
        assert_eq!(faults.0.len(), 1, "{faults:?}");
        assert!(faults.0[0].starts_with(&format!("config.toml:1: {key}")), "{key} = {bad}: {faults}");
    }
    let settings = load("server.public_url = \"https://example.org/waybill/\"\n", &[]).unwrap();
    assert_eq!(settings.server.public_url.as_deref(), Some("https://example.org/waybill"));
}

#[test]
fn variables_that_an_orchestrator_sets_are_left_alone() {
    let variables =
        [("WAYBILL_SERVICE_HOST", "10.0.0.1"), ("WAYBILL_PORT", "tcp://10.0.0.1:80"), ("WAYBILL_TOKEN", "x")];
    assert_eq!(load("", &variables).unwrap(), Settings::default());
}

#[test]
fn variables_win_over_the_file_and_the_file_over_the_defaults() {
    let text = "[export]\nthreads = 3\ndirect_at_once = 9\n";
    let settings = load(text, &[("WAYBILL_EXPORT__THREADS", "5"), ("WAYBILL_TIMEZONE", "Asia/Jakarta")]).unwrap();
    assert_eq!((settings.export.threads, settings.export.direct_at_once), (5, 9));
    assert_eq!(settings.timezone.name(), "Asia/Jakarta");
}

#[test]
fn a_relative_data_folder_lies_beside_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, "[data]\ndir = \"kept\"\n").unwrap();
    let settings = Settings::load(Some(&path), std::iter::empty()).unwrap();
    assert_eq!(settings.data.dir, folder.path().join("kept"));
}

#[test]
fn keys_that_only_make_sense_together_are_told_apart() {
    let fault = |text: &str| load(text, &[]).unwrap_err().0.join("\n");
    let from = "mail.from must be set, for example to \"exports@example.org\"";
    assert_eq!(fault("mail.host = \"mail.example.org\"\n"), from);
    assert_eq!(fault("mail.spool_dir = \"mails\"\n"), from);
    assert_eq!(fault("mail.username = \"me\"\n"), "mail.username and mail.password must be set together");
    let hooks = "webhook.urls = [\"https://example.org/hook?a=1\"]\n";
    assert_eq!(fault(hooks), "webhook.secret must be set: receivers know our posts by it");
}

#[test]
fn addresses_of_webhooks_are_a_list_and_in_the_environment_a_text_with_commas() {
    let secret = ("WAYBILL_WEBHOOK__SECRET", "0123456789abcdef");
    let wanted = ["https://a.example.org/x?y=1", "http://127.0.0.1:8080"];
    let file = "webhook.urls = [\"https://a.example.org/x?y=1\", \"http://127.0.0.1:8080\"]\n";
    assert_eq!(load(file, &[secret]).unwrap().webhook.urls, wanted);
    let variable = ("WAYBILL_WEBHOOK__URLS", "https://a.example.org/x?y=1, http://127.0.0.1:8080");
    let settings = load("", &[secret, variable]).unwrap();
    assert_eq!(settings.webhook.urls, wanted);
    assert!(!format!("{settings:?}").contains("0123456789abcdef"), "a secret is never shown");
}

#[test]
fn organisations_have_languages_of_their_own_by_their_ids() {
    let (one, other) = ("5f0c1d2e3a4b5c6d7e8f9a0b", "000000000000000000000002");
    let wanted = [(one.parse().unwrap(), Language::Indonesian), (other.parse().unwrap(), Language::English)];
    let variable = format!("{one}=id, {other}=en");
    for (text, variables) in [
        (format!("mail.languages = {{ {one} = \"id\", {other} = \"en\" }}\n"), &[][..]),
        (format!("[mail]\nport = 25\n[mail.languages]\n{one} = \"id\"\n{other} = \"en\"\n"), &[]),
        (String::new(), &[("WAYBILL_MAIL__LANGUAGES", variable.as_str())]),
    ] {
        assert_eq!(load(&text, variables).unwrap().mail.languages, wanted.into(), "{text}");
    }
    let fault = |value: &str| load("", &[("WAYBILL_MAIL__LANGUAGES", value)]).unwrap_err().0.join("\n");
    let place = "WAYBILL_MAIL__LANGUAGES:";
    assert_eq!(fault(&format!("{one}=fr")), format!("{place} gives {one} \"fr\", which must be one of en, id"));
    let no_id = "has \"us\", which is no organisation's id: those are 24 lower-case hex characters";
    assert_eq!(fault("us=id"), format!("{place} {no_id}"));
}

const BUCKET: &str = "[storage]\nkind = \"bucket\"\nendpoint = \"https://s3.example.org\"\nbucket = \"exports\"\n";

#[test]
fn a_bucket_needs_an_address_a_name_and_an_access_key() {
    let faults = load("[storage]\nkind = \"bucket\"\n", &[]).unwrap_err();
    let missing = |key: &str| format!("storage.{key} must be set for files to lie in a bucket.");
    assert_eq!(faults.0, ["endpoint", "bucket", "access_key", "secret_key"].map(missing));
    let keys = [("WAYBILL_STORAGE__ACCESS_KEY", "access"), ("WAYBILL_STORAGE__SECRET_KEY", "open sesame")];
    let settings = load(BUCKET, &keys).unwrap();
    assert_eq!(settings.storage.access_key.as_deref(), Some("access"));
    assert_eq!(settings.storage.secret_key.as_ref().map(Secret::reveal), Some("open sesame"));
    assert!(!format!("{settings:?}").contains("sesame"));
    assert!(settings.storage.has_bucket() && !Settings::default().storage.has_bucket());
}

#[test]
fn an_access_key_may_lie_in_a_file_of_its_own_that_others_cannot_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, format!("{BUCKET}credentials_file = \"keys\"\n")).unwrap();
    let load = || Settings::load(Some(&path), std::iter::empty()).map_err(|faults| faults.to_string());
    assert!(load().unwrap_err().contains("keys cannot be read"));
    let keys = folder.path().join("keys");
    std::fs::write(&keys, "[default]\naws_access_key_id = access\naws_secret_access_key=a+b/c==\n").unwrap();
    std::fs::set_permissions(&keys, Permissions::from_mode(0o644)).unwrap();
    assert!(load().unwrap_err().ends_with("keys can be read by others. Run chmod 600 on it."));
    std::fs::set_permissions(&keys, Permissions::from_mode(0o600)).unwrap();
    let storage = load().unwrap().storage;
    assert_eq!((storage.access_key.as_deref(), storage.secret_key), (Some("access"), Some(Secret::new("a+b/c=="))));
    std::fs::write(&keys, "aws_access_key_id = access\n").unwrap();
    assert!(load().unwrap_err().ends_with("keys has no line aws_secret_access_key = ..."));
}

#[test]
fn a_file_with_secrets_that_others_can_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, "[storage]\nsecret_key = \"open sesame\"\n").unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    let told = Settings::load(Some(&path), std::iter::empty()).unwrap_err().to_string();
    assert!(told.ends_with("Run chmod 600 on it, or give them as variables."), "{told}");
    assert!(!told.contains("sesame"));
}
