//! Hubs: the places that tasks start from.

use serde::{Deserialize, Serialize};

use super::Id;

/// A hub as it is stored and shown (contract 7).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hub {
    /// Its id.
    #[serde(rename = "_id")]
    pub id: Id,
    /// Its name, unique in the organisation without regard to case.
    pub name: String,
    /// Street address.
    #[serde(default)]
    pub address: Option<String>,
    /// Latitude in degrees.
    #[serde(default)]
    pub lat: Option<f64>,
    /// Longitude in degrees.
    #[serde(default)]
    pub lng: Option<f64>,
    /// When it was made, in the long form of contract 1.
    #[serde(rename = "createdTime")]
    pub created_time: String,
    /// When it was last changed, in the long form of contract 1.
    #[serde(rename = "updatedTime")]
    pub updated_time: String,
}
