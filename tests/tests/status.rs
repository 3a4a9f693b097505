//! What an office's program answers about itself.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use lianxin_node::app::{App, init};
use lianxin_node::web;

const PATHS: [&str; 4] = ["/healthz", "/metrics", "/status.json", "/"];

fn ask(at: SocketAddr, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(at)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// S7: machines look at the code alone, and a number that is not known is none.
#[test]
fn a_node_that_cannot_read_its_store_says_so_by_the_code() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    init(folder.path())?;
    let runtime = tokio::runtime::Runtime::new()?;
    let _entered = runtime.enter();
    let app = App::open(folder.path())?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
    let at = listener.local_addr()?;
    runtime.spawn(web::serve(app.clone(), listener));
    for path in PATHS {
        let answer = ask(at, path)?;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
    std::fs::rename(app.database(), folder.path().join("away"))?;
    for path in PATHS {
        let answer = ask(at, path)?;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{path}: {answer}");
        assert!(!answer.contains("null"), "{path}: {answer}");
    }
    Ok(())
}
