//! A machine's clock and a coordinator's certificate that disagree, in words for people.
//!
//! Which of the two is wrong nobody can tell who sees only these. That the certificate is another's is never meant by it.

use jiff::Timestamp;
use rustls::{CertificateError, Error};
use rustls_pki_types::UnixTime;

/// A certificate is not good at the time that it is on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClockDisagrees {
    /// It was good until before then.
    #[error(
        "it is {} by this machine's clock, but the coordinator's certificate is good until {}; one of the two machines has \
         a wrong clock",
        said(*now),
        said(*until)
    )]
    Ended {
        now: UnixTime,
        /// When the certificate ended.
        until: UnixTime,
    },
    /// It is good only later.
    #[error(
        "it is {} by this machine's clock, but the coordinator's certificate is good from {} on; one of the two machines \
         has a wrong clock",
        said(*now),
        said(*from)
    )]
    NotBegun {
        now: UnixTime,
        /// When the certificate begins.
        from: UnixTime,
    },
}

impl ClockDisagrees {
    /// What an error of a handshake says of times, if it is about them.
    pub const fn of(why: &Error) -> Option<Self> {
        match why {
            Error::InvalidCertificate(CertificateError::ExpiredContext { time, not_after }) => {
                Some(Self::Ended { now: *time, until: *not_after })
            }
            Error::InvalidCertificate(CertificateError::NotValidYetContext { time, not_before }) => {
                Some(Self::NotBegun { now: *time, from: *not_before })
            }
            _ => None,
        }
    }
}

fn said(time: UnixTime) -> String {
    let time = i64::try_from(time.as_secs()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    time.map_or_else(|| "after the end of all calendars".to_owned(), |time| time.to_string())
}
