//! What the runner asks for, in either generation of the container contract.
//!
//! A `TEST_KEY` tells the unified contract (upper-case names) from the classic one (lower-case).
//! An empty variable counts as absent.

use std::{
    fmt::{self, Display},
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use crate::Result;

#[derive(Debug)]
pub struct Case {
    pub role: Role,
    pub stack: Stack,
    pub listen_ip: IpAddr,
    /// Host and port.
    pub redis: (String, u16),
    pub redis_password: Option<String>,
    /// The Redis list over which the listener hands its address to the dialer.
    pub key: String,
    pub timeout: Duration,
    pub debug: bool,
    contract: Contract,
}

#[derive(Clone, Copy, Debug)]
enum Contract {
    Classic,
    Unified,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    Dialer,
    Listener,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stack {
    pub transport: Transport,
    /// `None` for the standalone transports, which bring security and muxing along.
    pub upgrades: Option<(Security, Muxer)>,
}

/// There is no wss: libp2p-websocket can listen on it, but has no way to dial a self-signed peer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Transport {
    Tcp,
    Ws,
    QuicV1,
    WebrtcDirect,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Security {
    Noise,
    Tls,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Muxer {
    Yamux,
    Mplex,
}

impl Case {
    /// Reads the case from variables as `std::env::var` gives them.
    pub fn new(var: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let var = |name: &str| {
            let value = var(name)?.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        // The names of one generation: whatever the other one says does not count.
        let (contract, key, names) = match (var("TEST_KEY"), var("transport")) {
            (Some(key), _) => (
                Contract::Unified,
                format!("{key}_listener_multiaddr"),
                Names {
                    transport: "TRANSPORT",
                    security: "SECURE_CHANNEL",
                    muxer: "MUXER",
                    is_dialer: "IS_DIALER",
                    ip: "LISTENER_IP",
                    redis: "REDIS_ADDR",
                    timeout: &["TEST_TIMEOUT_SECS"],
                },
            ),
            (None, Some(_)) => (
                Contract::Classic,
                "listenerAddr".to_owned(),
                Names {
                    transport: "transport",
                    security: "security",
                    muxer: "muxer",
                    is_dialer: "is_dialer",
                    ip: "ip",
                    redis: "redis_addr",
                    timeout: &[
                        "test_timeout_seconds",
                        "test_timeout_secs",
                        "TEST_TIMEOUT_SECS",
                    ],
                },
            ),
            (None, None) => return Err("neither TEST_KEY nor transport is set".into()),
        };
        let required = |name: &str| var(name).ok_or_else(|| format!("{name} is not set"));
        let bad = |name: &str, value: &str, wanted: &str| {
            format!("{name} is {value:?}, which is not {wanted}")
        };

        let transport = choose(
            names.transport,
            &required(names.transport)?,
            &[
                Transport::Tcp,
                Transport::Ws,
                Transport::QuicV1,
                Transport::WebrtcDirect,
            ],
        )?;
        let upgrades = match transport {
            Transport::Tcp | Transport::Ws => Some((
                choose(
                    names.security,
                    &required(names.security)?,
                    &[Security::Noise, Security::Tls],
                )?,
                choose(
                    names.muxer,
                    &required(names.muxer)?,
                    &[Muxer::Yamux, Muxer::Mplex],
                )?,
            )),
            Transport::QuicV1 | Transport::WebrtcDirect => {
                for name in [names.security, names.muxer] {
                    if let Some(value) = var(name) {
                        return Err(
                            format!("{name} is {value:?}, but {transport} takes none").into()
                        );
                    }
                }
                None
            }
        };
        let role = required(names.is_dialer)?;
        let role = match role.to_ascii_lowercase().as_str() {
            "true" => Role::Dialer,
            "false" => Role::Listener,
            _ => return Err(bad(names.is_dialer, &role, "true or false").into()),
        };
        let listen_ip = match var(names.ip) {
            Some(ip) => ip
                .parse()
                .map_err(|_| bad(names.ip, &ip, "an IP address"))?,
            None => Ipv4Addr::UNSPECIFIED.into(),
        };
        let redis = var(names.redis).unwrap_or_else(|| "redis:6379".to_owned());
        let redis = redis
            .rsplit_once(':')
            .filter(|(host, _)| !host.is_empty())
            .and_then(|(host, port)| Some((host.to_owned(), port.parse().ok()?)))
            .ok_or_else(|| bad(names.redis, &redis, "host:port"))?;
        let timeout = match names
            .timeout
            .iter()
            .find_map(|name| Some((name, var(name)?)))
        {
            Some((name, value)) => value
                .parse::<u32>()
                .ok()
                .filter(|&seconds| seconds > 0)
                .ok_or_else(|| bad(name, &value, "a positive number of seconds"))?,
            None => 180,
        };
        Ok(Self {
            role,
            stack: Stack {
                transport,
                upgrades,
            },
            listen_ip,
            redis,
            redis_password: var("REDIS_PASSWORD"),
            key,
            timeout: Duration::from_secs(timeout.into()),
            debug: var("DEBUG").is_some_and(|value| value.eq_ignore_ascii_case("true")),
            contract,
        })
    }

    /// The dialer's record, in the form of the contract that asked for it.
    pub fn record(&self, handshake_plus_one_rtt: Duration, ping_rtt: Duration) -> String {
        let total = handshake_plus_one_rtt.as_secs_f64() * 1e3;
        let ping = ping_rtt.as_secs_f64() * 1e3;
        match self.contract {
            Contract::Classic => format!(
                // The third l is the contract's.
                r#"{{"handshakePlusOneRTTMillis": {total:.3}, "pingRTTMilllis": {ping:.3}}}"#
            ),
            Contract::Unified => format!(
                "latency:\n  handshake_plus_one_rtt: {total:.3}\n  ping_rtt: {ping:.3}\n  unit: ms"
            ),
        }
    }
}

struct Names {
    transport: &'static str,
    security: &'static str,
    muxer: &'static str,
    is_dialer: &'static str,
    ip: &'static str,
    redis: &'static str,
    timeout: &'static [&'static str],
}

fn choose<T: Copy + Display>(name: &str, value: &str, choices: &[T]) -> Result<T> {
    choices
        .iter()
        .copied()
        .find(|choice| choice.to_string() == value)
        .ok_or_else(|| {
            let choices: Vec<_> = choices.iter().map(T::to_string).collect();
            format!(
                "{name} is {value:?}, but this version has only {}",
                choices.join(", ")
            )
            .into()
        })
}

impl Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "transport={}", self.transport)?;
        if let Some((security, muxer)) = self.upgrades {
            write!(f, " secureChannel={security} muxer={muxer}")?;
        }
        Ok(())
    }
}

impl Transport {
    /// WebRTC has no socket of its own for dialing, it takes a listener's (rust-libp2p #4071).
    pub fn dials_through_listener(self) -> bool {
        self == Self::WebrtcDirect
    }
}

impl Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "tcp",
            Self::Ws => "ws",
            Self::QuicV1 => "quic-v1",
            Self::WebrtcDirect => "webrtc-direct",
        })
    }
}

impl Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Noise => "noise",
            Self::Tls => "tls",
        })
    }
}

impl Display for Muxer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Yamux => "yamux",
            Self::Mplex => "mplex",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(vars: &[(&str, &str)]) -> Result<Case> {
        Case::new(|name| {
            let (_, value) = vars.iter().find(|(n, _)| *n == name)?;
            Some((*value).to_owned())
        })
    }

    #[test]
    fn classic_defaults() {
        let case = case(&[
            ("transport", "quic-v1"),
            ("is_dialer", "true"),
            ("muxer", ""),
        ])
        .unwrap();
        assert_eq!(case.stack.to_string(), "transport=quic-v1");
        assert_eq!(case.redis, ("redis".to_owned(), 6379));
        assert_eq!(case.key, "listenerAddr");
        assert_eq!(case.timeout, Duration::from_secs(180));
        assert_eq!(
            case.record(Duration::from_micros(7342), Duration::from_micros(113)),
            r#"{"handshakePlusOneRTTMillis": 7.342, "pingRTTMilllis": 0.113}"#
        );
    }

    #[test]
    fn unified_names_are_authoritative() {
        let case = case(&[
            ("TEST_KEY", "a1b2c3d4"),
            ("IS_DIALER", "False"),
            ("is_dialer", "true"),
            ("TRANSPORT", "tcp"),
            ("transport", "ws"),
            ("SECURE_CHANNEL", "noise"),
            ("MUXER", "yamux"),
            ("REDIS_ADDR", "transport-redis:6380"),
            ("TEST_TIMEOUT_SECS", "20"),
        ])
        .unwrap();
        assert_eq!(case.role, Role::Listener);
        assert_eq!(
            case.stack.to_string(),
            "transport=tcp secureChannel=noise muxer=yamux"
        );
        assert_eq!(case.redis, ("transport-redis".to_owned(), 6380));
        assert_eq!(case.key, "a1b2c3d4_listener_multiaddr");
        assert_eq!(case.timeout, Duration::from_secs(20));
    }

    #[test]
    fn refusals() {
        let good = [("transport", "quic-v1"), ("is_dialer", "true")];
        for bad in [
            ("transport", "wss"),
            ("transport", ""),
            ("is_dialer", "yes"),
            ("is_dialer", ""),
            ("security", "noise"),
            ("ip", "everywhere"),
            ("redis_addr", "redis"),
            ("redis_addr", "redis:many"),
            ("test_timeout_seconds", "0"),
            ("test_timeout_seconds", "soon"),
        ] {
            let vars: Vec<_> = [bad].into_iter().chain(good).collect();
            assert!(case(&vars).is_err(), "{bad:?}");
        }
    }
}
