//! What a failure of the client means: it passes, it stays, or there is nothing there.

use minio::s3::error::{Error as Failure, NetworkError, S3ServerError, ValidationErr};

use super::super::error::{Error, Refusal};

/// What went wrong with a call.
pub(super) fn meaning(failure: Failure) -> Error {
    match &failure {
        Failure::S3Server(S3ServerError::S3Error(response)) => {
            let said = format!("{} {}", response.code(), response.message().as_deref().unwrap_or_default());
            of_code(&response.code().to_string().to_lowercase(), said.trim().to_owned())
        }
        Failure::S3Server(S3ServerError::InvalidServerResponse { http_status_code: status, .. })
        | Failure::S3Server(S3ServerError::HttpError(status, _))
        | Failure::Network(NetworkError::ServerError(status)) => of_status(*status),
        // A connection that failed comes as a fault of validation.
        Failure::Validation(ValidationErr::HttpError(_)) | Failure::Network(NetworkError::ReqwestError(_)) => {
            of_connection(chain(&failure))
        }
        // An answer that nobody can read.
        _ => Error::Away(chain(&failure)),
    }
}

/// A name or an address that the client does not take.
pub(super) fn unfit(fault: ValidationErr) -> Error {
    Error::Setting(format!("The settings of the bucket lead nowhere: {fault}"))
}

/// By the bucket's own word for it, in lower case as the client gives those that it does not know.
fn of_code(code: &str, said: String) -> Error {
    let refusal = match code {
        "nosuchkey" | "resourcenotfound" => return Error::Missing,
        "internalerror"
        | "slowdown"
        | "serviceunavailable"
        | "requesttimeout"
        | "operationaborted"
        | "throttling"
        | "throttlingexception"
        | "toomanyrequests"
        | "requestlimitexceeded" => return Error::Away(said),
        "nosuchupload"
        | "invalidpart"
        | "invalidpartorder"
        | "baddigest"
        | "incompletebody"
        | "entitytoosmall"
        | "xamzcontentsha256mismatch" => return Error::NotWhole(said),
        "nosuchbucket" => Refusal::NoBucket,
        "accessdenied" | "allaccessdisabled" => Refusal::Denied,
        "invalidaccesskeyid" | "signaturedoesnotmatch" | "invalidtoken" | "expiredtoken" | "notsignedup" => {
            Refusal::Credentials
        }
        "requesttimetooskewed" => Refusal::Clock,
        "permanentredirect" | "redirect" | "temporaryredirect" | "authorizationheadermalformed" => Refusal::Elsewhere,
        _ => Refusal::Other,
    };
    Error::Refused { refusal, said }
}

fn of_connection(said: String) -> Error {
    // What rustls says of a certificate that it does not take.
    match said.contains("invalid peer certificate") {
        true => Error::Refused { refusal: Refusal::Certificate, said },
        false => Error::Away(said),
    }
}

pub(super) fn of_status(status: u16) -> Error {
    let said = format!("status {status}");
    let refusal = match status {
        408 | 429 | 500.. => return Error::Away(said),
        401 | 403 => Refusal::Denied,
        404 => Refusal::NoBucket,
        300..=399 => Refusal::Elsewhere,
        _ => Refusal::Other,
    };
    Error::Refused { refusal, said }
}

/// The client's own words say little; what caused them says what happened.
fn chain(failure: &Failure) -> String {
    let mut text = failure.to_string();
    let mut cause = std::error::Error::source(failure);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_told_from_what_stays() {
        for code in ["internalerror", "slowdown", "serviceunavailable"] {
            assert!(of_code(code, String::new()).may_pass(), "{code}");
        }
        for status in [408, 429, 500, 502, 503, 504] {
            assert!(of_status(status).may_pass(), "{status}");
        }
        for (status, expected) in
            [(301, Refusal::Elsewhere), (400, Refusal::Other), (403, Refusal::Denied), (404, Refusal::NoBucket)]
        {
            assert!(matches!(of_status(status), Error::Refused { refusal, .. } if refusal == expected), "{status}");
        }
        for (code, expected) in [
            ("accessdenied", Refusal::Denied),
            ("signaturedoesnotmatch", Refusal::Credentials),
            ("requesttimetooskewed", Refusal::Clock),
            ("nosuchbucket", Refusal::NoBucket),
            ("anything", Refusal::Other),
        ] {
            assert!(matches!(of_code(code, String::new()), Error::Refused { refusal, .. } if refusal == expected));
        }
    }
}
