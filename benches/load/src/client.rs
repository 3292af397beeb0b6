//! One connection of a load: sends a request, reads the whole response, and
//! connects anew when the connection is gone. Used by `closed` and `open`.

use std::{io, rc::Rc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    message::{Kind, Message, parse},
    stamp,
    target::Target,
};

const READ_AT_ONCE: usize = 16 * 1024;

/// What came of one request.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// The response has not the stamp that its request had. Never, where no
    /// stamp is asked for.
    pub(crate) mixed: bool,
}

/// A client with at most one connection and one request at a time.
pub(crate) struct Client {
    target: Rc<Target>,
    stream: Option<TcpStream>,
    input: Vec<u8>,
}

impl Client {
    /// A client that is connected.
    ///
    /// # Errors
    ///
    /// If it cannot connect.
    pub(crate) async fn connect(target: Rc<Target>) -> io::Result<Self> {
        let stream = Some(connect(&target).await?);
        Ok(Self {
            target,
            stream,
            input: Vec::new(),
        })
    }

    /// Sends the request and returns what came of it once the response is whole.
    ///
    /// # Errors
    ///
    /// If it cannot connect, the connection breaks, or what comes is no
    /// response. The next call connects anew.
    ///
    /// Not cancel safe: a client whose call was dropped must be dropped too.
    pub(crate) async fn send(&mut self) -> io::Result<Answer> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => connect(&self.target).await?,
        };
        self.input.clear();
        stream.write_all(&self.target.request).await?;
        let response = self.response(&mut stream).await?;
        if !response.closes {
            self.stream = Some(stream);
        }
        let stamp = self.target.stamp.as_ref();
        Ok(Answer {
            status: response.status,
            mixed: stamp.is_some_and(|name| stamp::is_mixed(name, &self.input)),
        })
    }

    async fn response(&mut self, stream: &mut TcpStream) -> io::Result<Message> {
        loop {
            self.input.reserve(READ_AT_ONCE);
            if stream.read_buf(&mut self.input).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(message) = parse(Kind::Response, &self.input)? {
                return match message.length == self.input.len() {
                    true => Ok(message),
                    // One request, one response: more is somebody else's.
                    false => Err(io::ErrorKind::InvalidData.into()),
                };
            }
        }
    }
}

async fn connect(target: &Target) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(target.address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
