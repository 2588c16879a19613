//! Tokens as people copy them: for the API (`wlt_…`) and for enrolment (`wle_…`), see SURFACE "Programs".
//!
//! A token is a prefix and 112 characters: the base64url of 16 bytes of id, 32 bytes of secret, the 32 bytes of the
//! fingerprint (SHA-256) of the coordinator's CA certificate, and 4 bytes of checksum, so that a token cut off while
//! copying is told from a wrong one. Whoever has the token can authenticate the coordinator: nothing else is copied.

use zeroize::Zeroizing;

use crate::digest::Digest;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// `wlt_`: people and machines of the HTTP API.
    Api,
    /// `wle_`: the enrolment of a target.
    Enrolment,
}

impl TokenKind {
    /// The four characters that such a token starts with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Api => "wlt_",
            Self::Enrolment => "wle_",
        }
    }
}

impl std::fmt::Display for TokenKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Api => "operators and their programs",
            Self::Enrolment => "the enrolment of agents",
        })
    }
}

/// A token's parts. The secret is overwritten when this is dropped; there is no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    pub kind: TokenKind,
    /// The 16 bytes of its id, an `EnrolmentId` or a `TokenId`. Not secret.
    pub id: [u8; 16],
    /// What proves it. Only its digest is kept anywhere.
    pub secret: Zeroizing<[u8; 32]>,
    /// SHA-256 of the DER of the coordinator's CA certificate.
    pub fingerprint: Digest,
}

/// Why a text is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadToken {
    /// It starts with something else.
    #[error("this is no token; one of this kind starts with `{0}`")]
    Prefix(&'static str),
    /// There is nothing.
    #[error("there is no token in it: it is empty")]
    Empty,
    /// A token, but for something else.
    #[error("this is a token for {found}, and starts with `{}`; one for {wanted} starts with `{}`", .found.prefix(), .wanted.prefix())]
    OtherKind {
        /// What it is for.
        found: TokenKind,
        /// What it should be for.
        wanted: TokenKind,
    },
    /// An editor's mark, which nobody sees, stands before it.
    #[error("an invisible byte order mark stands before the token; save the file as UTF-8 without it")]
    Mark,
    /// Too short, too long, or with a character that no token has.
    #[error("the token is incomplete or has a character too many; copy it whole, in one line")]
    Incomplete,
    /// All characters are there, but not the right ones.
    #[error("the token has a typing error; copy it whole, in one line")]
    Checksum,
}

const BYTES: usize = 84;

impl Token {
    /// What is kept to recognise the token again.
    pub fn secret_digest(&self) -> Digest {
        Digest::of(self.secret.as_slice())
    }

    /// The text to show, once.
    pub fn to_text(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(BYTES));
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(self.secret.as_slice());
        bytes.extend_from_slice(self.fingerprint.as_bytes());
        let checksum = checksum(self.kind, &bytes);
        bytes.extend_from_slice(&checksum);
        let encoded = Zeroizing::new(data_encoding::BASE64URL_NOPAD.encode(&bytes));
        Zeroizing::new(format!("{}{}", self.kind.prefix(), *encoded))
    }

    /// What a text is that does not start as a token of this kind does.
    fn mistaken(wanted: TokenKind, text: &str) -> BadToken {
        let mut kinds = [TokenKind::Api, TokenKind::Enrolment].into_iter();
        match kinds.find(|kind| text.starts_with(kind.prefix())) {
            Some(found) => BadToken::OtherKind { found, wanted },
            None if text.is_empty() => BadToken::Empty,
            None if text.starts_with('\u{feff}') => BadToken::Mark,
            None => BadToken::Prefix(wanted.prefix()),
        }
    }

    /// Reads what somebody copied; white space around it is ignored.
    pub fn parse(kind: TokenKind, text: &str) -> Result<Self, BadToken> {
        let text = text.trim();
        let encoded = text.strip_prefix(kind.prefix()).ok_or_else(|| Self::mistaken(kind, text))?;
        let bytes =
            data_encoding::BASE64URL_NOPAD.decode(encoded.as_bytes()).map_err(|_| BadToken::Incomplete)?;
        let bytes = Zeroizing::new(bytes);
        if bytes.len() != BYTES {
            return Err(BadToken::Incomplete);
        }
        let (body, sum) = bytes.split_at(BYTES - 4);
        if checksum(kind, body) != *sum {
            return Err(BadToken::Checksum);
        }
        let (id, rest) = body.split_at(16);
        let (secret, fingerprint) = rest.split_at(32);
        let array = |slice: &[u8]| <[u8; 32]>::try_from(slice).map_err(|_| BadToken::Incomplete);
        Ok(Self {
            kind,
            id: id.try_into().map_err(|_| BadToken::Incomplete)?,
            secret: Zeroizing::new(array(secret)?),
            fingerprint: Digest::from_bytes(array(fingerprint)?),
        })
    }
}

fn checksum(kind: TokenKind, body: &[u8]) -> [u8; 4] {
    let mut hasher = crate::digest::Hasher::new();
    hasher.update(kind.prefix());
    hasher.update(body);
    let digest = hasher.finish();
    let [a, b, c, d, ..] = *digest.as_bytes();
    [a, b, c, d]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(kind: TokenKind) -> Token {
        Token { kind, id: [1; 16], secret: Zeroizing::new([2; 32]), fingerprint: Digest::of("ca") }
    }

    #[test]
    fn a_token_round_trips() {
        let text = token(TokenKind::Api).to_text();
        assert!(text.starts_with("wlt_"));
        assert_eq!(text.len(), 4 + 112);
        assert!(Token::parse(TokenKind::Api, &format!(" {}\n", *text)) == Ok(token(TokenKind::Api)));
    }

    #[test]
    fn what_was_copied_wrongly_is_told_apart() {
        let error = |kind, text: &str| Token::parse(kind, text).err();
        let text = token(TokenKind::Api).to_text();
        let (found, wanted) = (TokenKind::Api, TokenKind::Enrolment);
        assert_eq!(error(wanted, &text), Some(BadToken::OtherKind { found, wanted }));
        assert_eq!(error(wanted, "hello"), Some(BadToken::Prefix("wle_")));
        assert_eq!(error(TokenKind::Api, &format!("\u{feff}{}", *text)), Some(BadToken::Mark));
        assert_eq!(error(TokenKind::Api, " \n"), Some(BadToken::Empty));
        assert_eq!(error(TokenKind::Api, &text[..100]), Some(BadToken::Incomplete));
        assert_eq!(error(TokenKind::Api, &format!("{}!", *text)), Some(BadToken::Incomplete));
        let wrong = text.replacen("AQEB", "AQEC", 1);
        assert_eq!(error(TokenKind::Api, &wrong), Some(BadToken::Checksum));
        let relabelled = text.replacen("wlt_", "wle_", 1);
        assert_eq!(error(TokenKind::Enrolment, &relabelled), Some(BadToken::Checksum));
    }
}
