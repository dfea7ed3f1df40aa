//! HTTP/0.9 over quinn's streams.

use std::sync::Arc;

use quinn::{Connection, ConnectionError, RecvStream, SendStream};
use tokio::task::JoinSet;

use crate::{
    contract::{Error, Result, Url, save},
    hq,
    protocol::Progress,
};

pub async fn fetch(connection: &Connection, urls: &[Url], progress: &Arc<Progress>) -> Result<()> {
    let mut answers = JoinSet::new();
    // No request waits for an answer, only for the server to allow its stream.
    for url in urls {
        let (mut send, recv) = connection.open_bi().await?;
        send.write_all(&hq::request(&url.path)).await?;
        send.finish()?;
        answers.spawn(receive(
            connection.clone(),
            recv,
            url.path.clone(),
            progress.clone(),
        ));
    }
    while let Some(answer) = answers.join_next().await {
        answer??;
    }
    Ok(())
}

async fn receive(
    connection: Connection,
    mut recv: RecvStream,
    path: String,
    progress: Arc<Progress>,
) -> Result<()> {
    let mut content = Vec::new();
    while let Some(chunk) = recv.read_chunk(usize::MAX, true).await? {
        progress.add(&connection, chunk.bytes.len());
        content.extend_from_slice(&chunk.bytes);
    }
    save(&path, &content)
}

pub async fn serve(connection: Connection) -> Result<()> {
    loop {
        match connection.accept_bi().await {
            Ok((send, recv)) => drop(tokio::spawn(answer(send, recv))),
            Err(ConnectionError::ApplicationClosed(_) | ConnectionError::LocallyClosed) => {
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
    }
}

async fn answer(mut send: SendStream, mut recv: RecvStream) {
    let response = async {
        let request = recv.read_to_end(hq::LONGEST_REQUEST).await?;
        send.write_all(&hq::response(&request)?).await?;
        Ok::<_, Error>(())
    };
    match response.await {
        // Both fail only where the peer has stopped the stream already.
        Ok(()) => drop(send.finish()),
        Err(error) => {
            eprintln!("a request failed: {error}");
            let _ = send.reset(1_u8.into());
        }
    }
}
