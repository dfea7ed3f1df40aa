//! The transport parameters of both roles, and a qlog per connection.

use std::{fs::File, io::LineWriter, path::Path, time::Duration};

use quinn::{QlogConfig, QlogStream, TransportConfig, VarInt};

use crate::contract::variable;

/// Longer than any test is silent: no connection may end because packets were lost.
const IDLE: Duration = Duration::from_secs(180);

/// Below a megabyte, so that `transfer` sees them grow, and several times what ten megabits a second have in flight.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 512 << 10;

/// `log` names the connection's qlog.
pub fn config(testcase: &str, log: &str) -> TransportConfig {
    let mut config = TransportConfig::default();
    config
        .max_idle_timeout(Some(IDLE.try_into().expect("it is a few minutes")))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW))
        .qlog_stream(qlog(log));
    if testcase == "zerortt" {
        // Probes for a larger MTU are 1-RTT packets, of which the test allows few bytes.
        config.mtu_discovery_config(None);
    }
    config
}

fn qlog(name: &str) -> Option<QlogStream> {
    let path = Path::new(&variable("QLOGDIR")).join(format!("{name}.sqlog"));
    let file = match File::create(&path) {
        Ok(file) => file,
        Err(error) => {
            eprintln!("no qlog: {}: {error}", path.display());
            return None;
        }
    };
    let mut config = QlogConfig::default();
    // Whole lines are written as they come, so a killed process loses none.
    config.writer(Box::new(LineWriter::new(file)));
    config.into_stream()
}
