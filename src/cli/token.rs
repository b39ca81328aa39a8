//! `waybill token`

use clap::Args;

use crate::app::make_private;
use crate::auth::{Claims, Keys};
use crate::domain::{Id, Permission};
use crate::kit::clock::Clock;

use super::fail::Failure;
use super::{Place, start};

/// A bearer token; it works while the server runs.
#[derive(Debug, Args)]
pub(super) struct Token {
    /// E-mail address of the bearer
    #[arg(long)]
    email: String,
    /// Name of the bearer
    #[arg(long)]
    name: Option<String>,
    /// Organisation; without it that of the settings
    #[arg(long, value_name = "ID")]
    org: Option<Id>,
    /// Permissions, comma-separated
    #[arg(long, value_delimiter = ',', default_value = "*")]
    permissions: Vec<String>,
    /// Ids of the hubs that the bearer is bound to, comma-separated
    #[arg(long, value_delimiter = ',', value_name = "IDS")]
    hubs: Option<Vec<Id>>,
    /// Only tasks assigned to the bearer
    #[arg(long)]
    own: bool,
    /// Days that the token holds
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=3650))]
    days: i64,
}

impl Token {
    pub(super) fn run(self, place: &Place) -> Result<(), Failure> {
        let known =
            |name: &&String| *name != "*" && !Permission::ALL.iter().any(|permission| permission.name() == **name);
        if let Some(unknown) = self.permissions.iter().find(known) {
            let all: Vec<&str> = Permission::ALL.iter().map(|permission| permission.name()).collect();
            return Err(Failure::usage(format!("there is no permission {unknown}. Allowed: *, {}", all.join(", "))));
        }
        let settings = start::settings(place)?;
        make_private(&settings.data.dir)?;
        let keys = Keys::open(&settings.data.dir).map_err(|error| Failure::new(error.to_string()))?;
        let organization = self.org.unwrap_or(settings.organization.id);
        let mut claims = Claims::of_everything(organization, &self.email, Clock::system().now(), self.days);
        claims.name = self.name.unwrap_or(claims.name);
        (claims.perms, claims.hubs, claims.own) = (self.permissions, self.hubs, self.own);
        println!("{}", keys.issue(&claims).map_err(|error| Failure::new(error.to_string()))?);
        Ok(())
    }
}
