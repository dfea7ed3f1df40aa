//! HTTP/0.9 over QUIC: a stream per file, `GET /path` one way, its bytes and nothing else the other way.

use crate::contract::{Error, Result, served};

pub const ALPN: &str = "hq-interop";

/// More than any request of the runner is long.
pub const LONGEST_REQUEST: usize = 8192;

pub fn request(path: &str) -> Vec<u8> {
    format!("GET /{path}\r\n").into_bytes()
}

/// What to answer; an error is for a stream to be reset.
pub fn response(request: &[u8]) -> Result<Vec<u8>> {
    served(path(request)?)
}

fn path(request: &[u8]) -> Result<&str> {
    let line = str::from_utf8(request)?.trim_end();
    line.strip_prefix("GET /")
        .ok_or_else(|| Error::from(format!("{line:?} is not a request")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        assert_eq!(path(&request("a-b")).unwrap(), "a-b");
        // The end of the stream may stand for the end of the line.
        assert_eq!(path(b"GET /a-b").unwrap(), "a-b");
        assert!(path(b"PUT /a-b\r\n").is_err());
        assert!(path(b"GET \xff").is_err());
    }
}
