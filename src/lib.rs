//! Waybill: task data out of a field-operations system and into the files people work with.
//!
//! In reading order, from the ground up; each layer knows only those above it in this list.

pub mod domain;
pub mod kit;
pub mod settings;

pub mod auth;
pub mod ingest;
pub mod notice;
pub mod render;
pub mod script;
pub mod storage;
pub mod store;

pub mod app;

pub mod baseline;
pub mod configs;
pub mod demo;
pub mod export;
pub mod intake;
pub mod sweep;

pub mod http;
pub mod jobs;

pub mod cli;
