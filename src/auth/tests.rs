use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::*;

const NOW: Moment = Moment(1_750_000_000_000);

fn keys() -> (tempfile::TempDir, Keys) {
    let data = tempfile::tempdir().unwrap();
    let keys = Keys::open(data.path()).unwrap();
    (data, keys)
}

fn claims() -> Claims {
    Claims::of_everything(Id([7; 12]), "a@example.org", NOW, 30)
}

#[test]
fn a_token_says_who_its_bearer_is_until_it_expires() {
    let (_data, keys) = keys();
    let token = keys.issue(&claims()).unwrap();
    let caller = keys.verify(&token, NOW).unwrap();
    assert_eq!((caller.email.as_str(), caller.organization), ("a@example.org", Id([7; 12])));
    let last = Moment(NOW.0 + 30 * 86_400_000 - 1);
    assert!(keys.verify(&token, last).is_ok());
    assert_eq!(keys.verify(&token, Moment(last.0 + 1)), Err(Unauthorized));
}

#[test]
fn another_key_another_algorithm_and_a_changed_token_are_refused() {
    let (_data, ours) = keys();
    let (_other, theirs) = keys();
    let token = ours.issue(&claims()).unwrap();
    assert_eq!(theirs.verify(&token, NOW), Err(Unauthorized));
    let parts: Vec<&str> = token.split('.').collect();
    let forged = |header: &str, signature: &str| format!("{}.{}.{signature}", BASE64.encode(header), parts[1]);
    for bad in [
        String::new(),
        "a.b.c".to_owned(),
        forged(r#"{"alg":"none"}"#, ""),
        forged(r#"{"alg":"HS384","typ":"JWT"}"#, parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}.{}", parts[0], BASE64.encode(r#"{"sub":"root","exp":9999999999}"#), parts[2]),
    ] {
        assert_eq!(ours.verify(&bad, NOW), Err(Unauthorized), "{bad}");
    }
}

/// A token under the server's key, as only somebody who has it could make.
fn signed(data: &Path, header: &jsonwebtoken::Header, claims: &str) -> String {
    let secret = fs::read(data.join("signing.key")).unwrap();
    let claims: serde_json::Value = serde_json::from_str(claims).unwrap();
    let key = jsonwebtoken::EncodingKey::from_secret(secret.trim_ascii());
    jsonwebtoken::encode(header, &claims, &key).unwrap()
}

#[test]
fn even_under_our_key_other_algorithms_key_names_and_critical_extensions_are_refused() {
    use jsonwebtoken::{Algorithm, Header};
    let (data, keys) = keys();
    let claims = serde_json::to_string(&claims()).unwrap();
    let with = |header: &Header| keys.verify(&signed(data.path(), header, &claims), NOW);
    assert!(with(&Header::default()).is_ok());
    let crit = Header { crit: Some(vec!["x".to_owned()]), ..Header::default() };
    let kid = Header { kid: Some("other".to_owned()), ..Header::default() };
    for header in [Header::new(Algorithm::HS384), Header::new(Algorithm::HS512), crit, kid] {
        assert_eq!(with(&header), Err(Unauthorized), "{header:?}");
    }
}

#[test]
fn a_token_without_end_or_with_an_end_of_the_wrong_type_is_refused() {
    let (data, keys) = keys();
    let signed = |claims: &str| signed(data.path(), &jsonwebtoken::Header::default(), claims);
    let org = "070707070707070707070707";
    let good = format!(r#"{{"sub":"u","email":"e","org":"{org}","exp":1750000060}}"#);
    assert!(keys.verify(&signed(&good), NOW).is_ok());
    for claims in [
        format!(r#"{{"sub":"u","email":"e","org":"{org}"}}"#),
        format!(r#"{{"sub":"u","email":"e","org":"{org}","exp":"1750000060"}}"#),
        format!(r#"{{"sub":"u","email":"e","org":"{org}","exp":1750000060,"nbf":1750000030}}"#),
        format!(r#"{{"sub":"u","email":"e","org":"{org}","exp":1750000060,"nbf":"soon"}}"#),
        format!(r#"{{"email":"e","org":"{org}","exp":1750000060}}"#),
        r#"{"sub":"u","email":"e","org":"theirs","exp":1750000060}"#.to_owned(),
        r#"{"sub":"u","email":"e","exp":1750000060}"#.to_owned(),
        good.replace(r#""u""#, "7"),
        good.replace(r#""u""#, r#""""#),
        good.replace('}', r#","perms":"*"}"#),
        good.replace('}', r#","hubs":["all"]}"#),
        good.replace('}', r#","own":"no"}"#),
        good.replace('}', r#","aud":"somebody else"}"#),
        "[]".to_owned(),
    ] {
        assert_eq!(keys.verify(&signed(&claims), NOW), Err(Unauthorized), "{claims}");
    }
}

#[test]
fn the_key_is_made_once_and_is_for_this_user_alone() {
    let (data, keys) = keys();
    let path = data.path().join("signing.key");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let token = keys.issue(&claims()).unwrap();
    assert!(Keys::open(data.path()).unwrap().verify(&token, NOW).is_ok());
    assert_eq!(fs::read_dir(data.path()).unwrap().count(), 1, "the draft of the key is gone");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    assert!(matches!(Keys::open(data.path()), Err(Error::Open(_))));
}

#[test]
fn a_weak_key_is_refused() {
    let too_long: String = (0..4097_u32).map(|n| char::from(b'!' + u8::try_from(n * n % 89).unwrap())).collect();
    for weak in [
        "",
        "short",
        "0123456789abcdef0123456789abcde",
        "9f3a71c05de28b4466fd0e1b7ac95832",
        &"a".repeat(64),
        &"abcabc".repeat(10),
        &"0123456789abcdef".repeat(4),
        &too_long,
    ] {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("signing.key");
        fs::write(&path, weak).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(Keys::open(data.path()), Err(Error::Weak { .. })), "{weak}");
    }
}

#[test]
fn a_link_is_genuine_only_for_its_file_and_its_time() {
    let (_data, keys) = keys();
    let signature = keys.sign_link("20250615/a.xlsx", 1000);
    assert!(keys.link_is_genuine("20250615/a.xlsx", 1000, &signature));
    assert!(!keys.link_is_genuine("20250615/b.xlsx", 1000, &signature));
    assert!(!keys.link_is_genuine("20250615/a.xlsx", 1001, &signature));
    assert!(!keys.link_is_genuine("20250615/a.xlsx", 1000, ""));
    assert!(!keys.link_is_genuine("20250615/a.xlsx", 1000, "not base64!"));
    assert!(!keys.link_is_genuine("20250615/a.xlsx", 1000, &signature[..signature.len() - 2]));
    let (_other, theirs) = self::keys();
    assert!(!theirs.link_is_genuine("20250615/a.xlsx", 1000, &signature));
}
