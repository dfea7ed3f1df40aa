//! What is spoken over a connection: whatever its handshake has agreed on.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use quinn::{Connection, crypto::rustls::HandshakeData};

use crate::{
    contract::{Result, Url},
    hq, http3, http09,
};

#[derive(Clone, Copy, Debug)]
pub enum Protocol {
    Http09,
    Http3,
}

impl Protocol {
    /// By its name in the handshake.
    pub fn of(handshake: Option<Box<dyn Any>>) -> Result<Self> {
        let alpn = handshake
            .and_then(|data| data.downcast::<HandshakeData>().ok()?.protocol)
            .ok_or("no application protocol was agreed on")?;
        if alpn == hq::ALPN.as_bytes() {
            Ok(Self::Http09)
        } else {
            Ok(Self::Http3)
        }
    }

    /// Fetches files all at once and saves them.
    pub async fn fetch(
        self,
        connection: &Connection,
        urls: &[Url],
        progress: &Arc<Progress>,
    ) -> Result<()> {
        match self {
            Self::Http09 => http09::fetch(connection, urls, progress).await,
            Self::Http3 => http3::fetch(connection, urls, progress).await,
        }
    }

    /// Answers requests as long as the connection lives.
    pub async fn serve(self, connection: Connection) -> Result<()> {
        match self {
            Self::Http09 => http09::serve(connection).await,
            Self::Http3 => http3::serve(connection).await,
        }
    }
}

/// Updates the keys once so much of the files has come that the new ones will still be used.
#[derive(Debug)]
pub struct Progress {
    received: AtomicUsize,
    update_after: Option<usize>,
}

impl Progress {
    /// `update_after` is in bytes.
    pub fn new(update_after: Option<usize>) -> Self {
        Self {
            received: AtomicUsize::new(0),
            update_after,
        }
    }

    pub fn add(&self, connection: &Connection, bytes: usize) {
        let before = self.received.fetch_add(bytes, Ordering::Relaxed);
        if let Some(threshold) = self.update_after
            && (before..before + bytes).contains(&threshold)
        {
            connection.force_key_update();
        }
    }
}
