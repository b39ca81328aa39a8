//! A notice's way to another program: a signed POST, once, to an address of the settings.

use std::time::Duration;

use super::error::Error;
use crate::domain::{Id, Moment};
use crate::kit::secret::{Secret, keyed_digest};
use crate::settings::Webhook;

/// Replies below 500 after which another try may end otherwise: request timeout, too early, too many.
const NOT_NOW: [u16; 3] = [408, 425, 429];

/// The addresses that are told, and what they know us by.
pub struct Hooks {
    urls: Vec<String>,
    secret: Secret,
    agent: ureq::Agent,
}

impl Hooks {
    /// The webhooks of these settings; nothing where there are none.
    pub fn open(settings: &Webhook) -> Option<Self> {
        let secret = settings.secret.clone().filter(|_| !settings.urls.is_empty())?;
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // Who answers elsewhere is not who the operator named.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(Duration::from_secs(settings.timeout_seconds)))
            .user_agent(concat!("waybill/", env!("CARGO_PKG_VERSION")))
            .build();
        Some(Self { urls: settings.urls.clone(), secret, agent: config.into() })
    }

    /// The addresses.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// Posts a JSON body, signed for this moment; it has been taken when this returns.
    ///
    /// # Errors
    /// Why it has not; [`Error::is_permanent`] tells whether to try again.
    pub fn post(&self, url: &str, delivery: Id, body: &str, now: Moment) -> Result<(), Error> {
        let answered = self
            .agent
            .post(url)
            .header("Content-Type", "application/json")
            .header("X-Waybill-Delivery", delivery.to_string())
            .header("X-Waybill-Signature", signature(&self.secret, now, body))
            .send(body);
        let place = place(url);
        let code = match answered {
            Ok(answer) => answer.status().as_u16(),
            Err(error) => return Err(Error::Unreachable { place, why: error.to_string() }),
        };
        let why = format!("{code}");
        match code {
            200..=299 => Ok(()),
            400..=499 if !NOT_NOW.contains(&code) => Err(Error::Refused { place, code, why }),
            _ => Err(Error::NotNow { place, why }),
        }
    }
}

/// `t=<seconds since 1970>,v1=<hex of HMAC-SHA-256 over "<t>.<body>">`.
fn signature(secret: &Secret, now: Moment, body: &str) -> String {
    let time = now.seconds().to_string();
    let digest = keyed_digest(secret.reveal().as_bytes(), &[time.as_bytes(), b".", body.as_bytes()]);
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v1={hex}")
}

/// The address without its query, which may hold a secret.
fn place(url: &str) -> String {
    url.split('?').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_covers_the_time_and_the_body() {
        let secret = Secret::new("0123456789abcdef");
        let of = |at, body| signature(&secret, Moment(at), body);
        let known = "t=1750000000,v1=cb8347c3efa12029e19eff6dbf3a97a1345445d9e3f117d538d840d2f0ddfa50";
        assert_eq!(of(1_750_000_000_999, "{}"), known);
        assert_ne!(of(1_750_000_000_000, "{}"), of(1_750_000_001_000, "{}"));
        assert_ne!(of(1_750_000_000_000, "{}"), of(1_750_000_000_000, "{ }"));
    }

    #[test]
    fn a_secret_in_an_address_is_not_told() {
        assert_eq!(place("https://example.org/hook?token=abc"), "https://example.org/hook");
    }
}
