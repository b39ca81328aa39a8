//! What holds before servers of others, which share no line with those of our own tests. `.ci/s3` and
//! `.ci/mail` start them and run these tests; without them there is nobody to speak to.

mod bucket;
mod mail;

/// What the script that started a server says of it.
fn told(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: run .ci/s3 or .ci/mail"))
}
