//! A session between its beginning and its end, which are the same for both roles.

use quinn::ConnectionError;
use web_transport_quinn::{Session, SessionError, WebTransportError};

use crate::{
    contract::{Result, save},
    transfer::{self, Way},
};

/// Where both sides leave what `handshake` has negotiated.
const NEGOTIATED: &str = "negotiated_protocol.txt";

/// The error code of HTTP/3 that stands for none.
const H3_NO_ERROR: u64 = 0x100;

/// Does what a test case wants of a session: fetches `files` of it, or answers.
pub async fn play(
    session: &Session,
    testcase: &str,
    endpoint: &str,
    files: &[String],
) -> Result<()> {
    if testcase == "handshake" {
        let protocol = session.protocol().ok_or("no protocol was negotiated")?;
        return save(NEGOTIATED, protocol.as_bytes());
    }
    match Way::of(testcase) {
        Some(way) => transfer::request(session, way, endpoint, files).await,
        None => {
            transfer::answer(session, endpoint).await;
            ended(session).await
        }
    }
}

/// The other side ends a session in which this one only answers.
async fn ended(session: &Session) -> Result<()> {
    match session.closed().await {
        SessionError::WebTransportError(WebTransportError::Closed(0, _))
        | SessionError::ConnectionError(ConnectionError::LocallyClosed) => Ok(()),
        SessionError::ConnectionError(ConnectionError::ApplicationClosed(close))
            if [0, H3_NO_ERROR].contains(&close.error_code.into_inner()) =>
        {
            Ok(())
        }
        error => Err(error.into()),
    }
}
