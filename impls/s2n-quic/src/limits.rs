//! The transport parameters of both roles.

use std::time::Duration;

use s2n_quic::provider::limits::Limits;

use crate::contract::Result;

/// Longer than any test is silent: no connection may end because packets were lost.
const IDLE: Duration = Duration::from_secs(180);

/// The default of ten seconds is too short where a third of the packets is lost.
const HANDSHAKE: Duration = Duration::from_secs(120);

/// Below a megabyte, so that `transfer` sees them grow, and several times what ten megabits a second have in flight.
const STREAM_WINDOW: u64 = 256 << 10;
const CONNECTION_WINDOW: u64 = 512 << 10;

pub fn limits() -> Result<Limits> {
    Ok(Limits::new()
        .with_max_idle_timeout(IDLE)?
        .with_max_handshake_duration(HANDSHAKE)?
        .with_data_window(CONNECTION_WINDOW)?
        .with_bidirectional_local_data_window(STREAM_WINDOW)?
        .with_bidirectional_remote_data_window(STREAM_WINDOW)?)
}
