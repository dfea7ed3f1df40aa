//! What the runner asks for and where files come from and go to (quic-interop contract, sections 1.4 and 1.5).

use std::{
    env, fs,
    path::{Component, Path, PathBuf},
};

pub const CERTIFICATE: &str = "/certs/cert.pem";
pub const PRIVATE_KEY: &str = "/certs/priv.key";
pub const ROOT: &str = "/certs/ca.pem";

/// Only the reader of the log wants to know what went wrong.
pub type Error = Box<dyn std::error::Error + Send + Sync>;
pub type Result<T> = std::result::Result<T, Error>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Role {
    Client,
    Server,
}

impl Role {
    pub fn from_env() -> Result<Self> {
        match variable("ROLE").as_str() {
            "client" => Ok(Self::Client),
            "server" => Ok(Self::Server),
            other => Err(format!("ROLE is {other:?}, neither client nor server").into()),
        }
    }
}

/// A variable of the contract; an absent one is empty.
pub fn variable(name: &str) -> String {
    env::var(name).unwrap_or_default()
}

/// What to fetch, and from where.
#[derive(Clone, Debug, PartialEq)]
pub struct Url {
    pub host: String,
    pub port: u16,
    /// Without the slash it begins with.
    pub path: String,
}

impl Url {
    fn parse(url: &str) -> Result<Self> {
        let wrong = || format!("{url:?} is not https://host:port/path");
        let (authority, path) = url
            .strip_prefix("https://")
            .and_then(|rest| rest.split_once('/'))
            .ok_or_else(wrong)?;
        let (host, port) = authority.split_once(':').unwrap_or((authority, "443"));
        Ok(Self {
            host: host.to_owned(),
            port: port.parse().map_err(|_| wrong())?,
            path: path.to_owned(),
        })
    }

    /// What a client is to fetch. All requests of a test go to one server.
    pub fn requests() -> Result<Vec<Self>> {
        let urls: Vec<_> = variable("REQUESTS")
            .split_whitespace()
            .map(Self::parse)
            .collect::<Result<_>>()?;
        let first = urls.first().ok_or("REQUESTS is empty")?;
        match urls
            .iter()
            .find(|url| (&url.host, url.port) != (&first.host, first.port))
        {
            Some(other) => Err(format!("REQUESTS names {} and {}", first.host, other.host).into()),
            None => Ok(urls),
        }
    }
}

/// The content of a file below /www.
pub fn served(path: &str) -> Result<Vec<u8>> {
    let file = below("/www", path)?;
    fs::read(&file).map_err(|error| format!("{}: {error}", file.display()).into())
}

/// Writes a whole file below /downloads.
pub fn save(path: &str, content: &[u8]) -> Result<()> {
    let file = below("/downloads", path)?;
    let folder = file.parent().expect("it is below a folder");
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&file, content))
        .map_err(|error| format!("{}: {error}", file.display()).into())
}

/// A path that came from the peer must not lead out of the folder.
fn below(folder: &str, path: &str) -> Result<PathBuf> {
    let relative = Path::new(path.trim_start_matches('/'));
    let plain = |part| matches!(part, Component::Normal(_));
    if relative.as_os_str().is_empty() || !relative.components().all(plain) {
        return Err(format!("{path:?} is not the path of a file").into());
    }
    Ok(Path::new(folder).join(relative))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let url = |host: &str, port, path: &str| Url {
            host: host.into(),
            port,
            path: path.into(),
        };
        assert_eq!(
            Url::parse("https://server4:443/one-two").unwrap(),
            url("server4", 443, "one-two")
        );
        assert_eq!(
            Url::parse("https://server6/a/b").unwrap(),
            url("server6", 443, "a/b")
        );
        assert_eq!(
            Url::parse("https://server4:443/").unwrap(),
            url("server4", 443, "")
        );
        for wrong in ["http://server4/a", "https://server4", "https://server4:x/a"] {
            assert!(Url::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn paths_stay_in_the_folder() {
        assert_eq!(below("/www", "/a").unwrap(), Path::new("/www/a"));
        assert_eq!(below("/www", "a/b").unwrap(), Path::new("/www/a/b"));
        for wrong in ["", "/", "../a", "a/../../b", "./a"] {
            assert!(below("/www", wrong).is_err(), "{wrong}");
        }
    }
}
