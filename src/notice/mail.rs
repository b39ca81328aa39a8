//! A letter, and the ways a letter goes.

use std::borrow::Cow;

use mail_send::mail_builder::MessageBuilder;
use mail_send::mail_builder::headers::address::Address;
use mail_send::mail_builder::headers::date::Date;
use mail_send::mail_builder::headers::raw::Raw;

use super::error::Error;
use super::smtp::Smtp;
use super::spool::Spool;
use crate::domain::{Mailbox, Moment};
use crate::settings::Mail;

/// A mail to one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// What stands before the `@` of the Message-ID: the same each time the same letter is sent.
    pub id: String,
    /// The recipient.
    pub to: Mailbox,
    /// The subject.
    pub subject: String,
    /// The body as plain text.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// When it was written.
    pub date: Moment,
}

/// Sends letters, or writes them into a folder.
pub struct Mailer {
    from: Mailbox,
    way: Way,
}

enum Way {
    Smtp(Box<Smtp>),
    Spool(Spool),
}

impl Mailer {
    /// The mailer of these settings; nothing where no mails are wanted.
    ///
    /// # Errors
    /// When the certificates cannot be read, or the folder for mails cannot be made.
    pub fn open(settings: &Mail) -> Result<Option<Self>, Error> {
        let Some(from) = settings.from.clone() else { return Ok(None) };
        let helo = settings.helo.as_deref().unwrap_or(from.domain());
        let way = match (&settings.spool_dir, &settings.host) {
            (Some(dir), _) => Way::Spool(Spool::open(dir)?),
            (None, Some(host)) => Way::Smtp(Box::new(Smtp::open(settings, host, helo)?)),
            (None, None) => return Ok(None),
        };
        Ok(Some(Self { from, way }))
    }

    /// Sends a letter; it has been taken when this returns.
    ///
    /// # Errors
    /// Why it has not; [`Error::is_permanent`] tells whether to try again.
    pub fn send(&self, letter: &Letter) -> Result<(), Error> {
        let message = self.message(letter).map_err(Error::Message)?;
        match &self.way {
            Way::Smtp(smtp) => smtp.send(&self.from.address, &letter.to.address, message),
            Way::Spool(spool) => spool.write(&letter.id, &message),
        }
    }

    /// Goes as far as one can without sending anything: connects, greets, makes it safe, logs in.
    ///
    /// # Errors
    /// What came back instead.
    pub fn probe(&self) -> Result<(), Error> {
        match &self.way {
            Way::Smtp(smtp) => smtp.probe(),
            Way::Spool(spool) => spool.probe(),
        }
    }

    /// Where letters go, for people.
    pub fn place(&self) -> String {
        match &self.way {
            Way::Smtp(smtp) => smtp.place(),
            Way::Spool(spool) => spool.place(),
        }
    }

    fn message(&self, letter: &Letter) -> std::io::Result<Vec<u8>> {
        MessageBuilder::new()
            .from(address(&self.from))
            .to(address(&letter.to))
            .subject(letter.subject.as_str())
            .date(Date::new(letter.date.seconds()))
            .message_id(format!("{}@{}", letter.id, self.from.domain()))
            // Nobody's holiday is to be told to a machine (RFC 3834).
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .text_body(letter.text.as_str())
            .html_body(letter.html.as_str())
            .write_to_vec()
    }
}

fn address(mailbox: &Mailbox) -> Address<'_> {
    let name = mailbox.name.as_deref().map(Cow::Borrowed);
    Address::new_address(name, mailbox.address.as_str())
}
