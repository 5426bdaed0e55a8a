//! Streams of blocks: exactly 16384 bytes each, sealed or plain (wire.md §3.6, §4.1).
//!
//! Buffers belong to the caller. A reader that waits for the next block holds none, so that an idle connection costs only
//! what TLS itself keeps; a writer has at most one block on the way.

use std::time::Duration;
use std::{fmt, io};

use smp_protocol::block::{self, BLOCK_SIZE, ContentTooLong, SEALED_CONTENT};
use smp_protocol::seal::{BadBlock, BlockChain};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// A block on the wire, or the buffer for one.
pub type Block = [u8; BLOCK_SIZE];

/// An empty buffer.
pub fn new_block() -> Box<Block> {
    Box::new([0; BLOCK_SIZE])
}

/// How long closing waits for the peer (behaviour.md §1.1).
pub const CLOSE_LIMIT: Duration = Duration::from_secs(5);

/// Bytes of the length in front of the content.
const LENGTH: usize = 2;

/// No more blocks will come.
#[derive(Debug, Error)]
pub enum Disconnected {
    /// The peer closed, possibly in the middle of a block.
    #[error("the peer closed the connection")]
    Closed,
    /// TLS or the network failed.
    #[error("the connection failed: {0}")]
    Failed(#[source] io::Error),
}

impl From<io::Error> for Disconnected {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Failed(error),
        }
    }
}

/// Why a block was not written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// The content has no place in a block. Nothing was written, the connection can go on.
    #[error(transparent)]
    TooLong(#[from] ContentTooLong),
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Failed(#[from] io::Error),
}

/// The receiving half of a connection.
pub struct BlockReader<R> {
    stream: R,
    chain: Option<BlockChain>,
    /// The first byte of the next block, if it has arrived.
    first: Option<u8>,
}

impl<R: AsyncRead + Unpin> BlockReader<R> {
    /// Reads sealed blocks if there is a key chain, plain ones otherwise.
    pub fn new(stream: R, chain: Option<BlockChain>) -> Self {
        Self { stream, chain, first: None }
    }

    /// The same stream, with another chain from the next block on.
    pub(crate) fn with_chain(self, chain: Option<BlockChain>) -> Self {
        Self { chain, ..self }
    }

    /// Waits until a block begins to arrive. Only then is a buffer needed for [`Self::read`]. Cancel safe.
    pub async fn ready(&mut self) -> Result<(), Disconnected> {
        if self.first.is_none() {
            self.first = Some(self.stream.read_u8().await?);
        }
        Ok(())
    }

    /// Reads the next block into `buffer`, opens it in place and returns its content, up to 16382 bytes plain or 16366
    /// sealed. After a bad block the stream goes on with the next one. Not cancel safe.
    pub async fn read<'b>(&mut self, buffer: &'b mut Block) -> Result<Result<&'b [u8], BadBlock>, Disconnected> {
        self.ready().await?;
        if let Some(first) = self.first.take() {
            buffer[0] = first;
        }
        self.stream.read_exact(&mut buffer[1..]).await?;
        Ok(open(self.chain.as_mut(), buffer))
    }

    /// The stream below.
    pub fn into_inner(self) -> R {
        self.stream
    }

    /// Throws away what still arrives, until the peer closes.
    pub async fn drain(&mut self) {
        let mut bytes = [0; 512];
        while matches!(self.stream.read(&mut bytes).await, Ok(1..)) {}
    }
}

/// The sending half of a connection.
pub struct BlockWriter<W> {
    stream: W,
    chain: Option<BlockChain>,
}

impl<W: AsyncWrite + Unpin> BlockWriter<W> {
    /// Writes sealed blocks if there is a key chain, plain ones otherwise.
    pub fn new(stream: W, chain: Option<BlockChain>) -> Self {
        Self { stream, chain }
    }

    /// The same stream, with another chain from the next block on.
    pub(crate) fn with_chain(self, chain: Option<BlockChain>) -> Self {
        Self { chain, ..self }
    }

    /// Most bytes of content in a block: 16366 sealed, 16382 plain.
    pub fn max_content(&self) -> usize {
        self.padded_size() - LENGTH
    }

    /// The part of `buffer` that takes the content of the next block.
    pub fn content<'b>(&self, buffer: &'b mut Block) -> &'b mut [u8] {
        &mut buffer[LENGTH..self.padded_size()]
    }

    /// Pads and seals, in place, the block whose content is the first `length` bytes of [`Self::content`], and gives it
    /// to TLS as one record. Waits while the block before it is on its way. Afterwards `buffer` is free for other use,
    /// and [`Self::flush`] is due once no other block follows. Not cancel safe.
    pub async fn write(&mut self, buffer: &mut Block, length: usize) -> Result<(), WriteError> {
        if length > self.max_content() {
            return Err(ContentTooLong { length, size: self.padded_size() }.into());
        }
        self.stream.flush().await?;
        let padded = self.padded_size();
        pad(&mut buffer[..padded], length);
        if let Some(chain) = &mut self.chain {
            chain.seal(buffer);
        }
        self.stream.write_all(buffer).await?;
        Ok(())
    }

    /// [`Self::write`] with content from elsewhere.
    pub async fn write_content(&mut self, content: &[u8], buffer: &mut Block) -> Result<(), WriteError> {
        if let Some(place) = self.content(buffer).get_mut(..content.len()) {
            place.copy_from_slice(content);
        }
        self.write(buffer, content.len()).await
    }

    /// Waits until the operating system has taken everything written. A writer to a slow peer waits here before it takes
    /// a buffer for the next block.
    pub async fn flush(&mut self) -> Result<(), WriteError> {
        Ok(self.stream.flush().await?)
    }

    /// Sends what is left and TLS `close_notify`, and closes this direction; gives up after [`CLOSE_LIMIT`].
    pub async fn shutdown(&mut self) -> io::Result<()> {
        timeout(CLOSE_LIMIT, self.stream.shutdown()).await.map_err(io::Error::from)?
    }

    /// The stream below.
    pub fn into_inner(self) -> W {
        self.stream
    }

    /// Bytes of the content with its length and padding.
    fn padded_size(&self) -> usize {
        if self.chain.is_some() { SEALED_CONTENT } else { BLOCK_SIZE }
    }
}

impl<R> fmt::Debug for BlockReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockReader").field("sealed", &self.chain.is_some()).finish_non_exhaustive()
    }
}

impl<W> fmt::Debug for BlockWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockWriter").field("sealed", &self.chain.is_some()).finish_non_exhaustive()
    }
}

/// Closes both directions and waits, at most [`CLOSE_LIMIT`], for the peer to do the same, so that the last blocks
/// written are not lost.
pub async fn close<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
    mut reader: BlockReader<R>,
    mut writer: BlockWriter<W>,
) {
    let both = async { tokio::join!(reader.drain(), writer.stream.shutdown()) };
    let _ = timeout(CLOSE_LIMIT, both).await;
}

fn open<'b>(chain: Option<&mut BlockChain>, buffer: &'b mut Block) -> Result<&'b [u8], BadBlock> {
    match chain {
        Some(chain) => chain.open(buffer),
        None => block::unpad(buffer).map_err(|_| BadBlock),
    }
}

/// Puts the length in front of content that is in place already, and padding behind it.
fn pad(padded: &mut [u8], length: usize) {
    let prefix = u16::try_from(length).expect("content of a block has less than 64 KiB");
    padded[..LENGTH].copy_from_slice(&prefix.to_be_bytes());
    padded[LENGTH + length..].fill(b'#');
}
