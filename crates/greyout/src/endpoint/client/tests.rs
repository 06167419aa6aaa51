//! Each way to use an endpoint, and each way in which it can fail.

use std::io::{BufRead, BufReader};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// What a server does with one connection.
type Script = fn(TcpStream);

/// A server that treats one connection after the other, and its address.
fn serve(scripts: Vec<Script>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for script in scripts {
            script(listener.accept().unwrap().0);
        }
    });
    address
}

fn outcomes(endpoint: Endpoint, count: usize) -> Vec<Outcome> {
    let mut client = Client::new(endpoint, PATIENCE);
    (0..count).map(|_| client.attempt()).collect()
}

fn line(stream: &TcpStream) -> Vec<u8> {
    let mut line = Vec::new();
    BufReader::new(stream).read_until(b'\n', &mut line).unwrap();
    line
}

fn echo_once(mut stream: TcpStream) {
    let line = line(&stream);
    stream.write_all(&line).unwrap();
}

fn echo_twice(mut stream: TcpStream) {
    for _ in 0..2 {
        let line = line(&stream);
        stream.write_all(&line).unwrap();
    }
}

fn half(mut stream: TcpStream) {
    let line = line(&stream);
    stream.write_all(&line[..5]).unwrap();
}

fn silent(stream: TcpStream) {
    line(&stream);
    stream.shutdown(Shutdown::Write).unwrap();
}

fn other(mut stream: TcpStream) {
    line(&stream);
    stream.write_all(&[b'x'; LINE.len()]).unwrap();
}

#[test]
fn an_echo_is_good_short_missing_or_wrong() {
    let address = serve(vec![echo_once, half, silent, other]);
    assert_eq!(
        outcomes(Endpoint::Echo(address), 4),
        [Outcome::Good, Outcome::ShortReply, Outcome::Eof, Outcome::Wrong]
    );
}

#[test]
fn what_is_closed_with_bytes_unread_is_reset() {
    // close(2) with unread bytes sends RST (RFC 2525, 2.17).
    let address = serve(vec![|stream| {
        let mut first = [0];
        (&stream).read_exact(&mut first).unwrap();
    }]);
    assert_eq!(outcomes(Endpoint::Echo(address), 1), [Outcome::Reset]);
}

#[test]
fn nobody_who_listens_is_refused_and_no_path_is_no_entry() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(outcomes(Endpoint::Echo(address), 1), [Outcome::Refused]);
    assert_eq!(outcomes(Endpoint::Udp(address), 1), [Outcome::Refused]);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    assert_eq!(outcomes(Endpoint::UnixEcho(path.clone()), 1), [Outcome::NoEntry]);
    drop(UnixListener::bind(&path).unwrap());
    assert_eq!(outcomes(Endpoint::UnixEcho(path), 1), [Outcome::Refused]);
}

#[test]
fn nobody_who_accepts_times_out_even_with_a_full_backlog() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let brief = Duration::from_millis(20);
    let mut client = Client::new(Endpoint::UnixEcho(path.clone()), brief);
    // The first is in the backlog and has no reply; when that is full, connect(2) itself waits.
    assert_eq!(client.attempt(), Outcome::TimedOut);
    let _queued = Stream::connect(&Peer::Unix(path), brief);
    assert_eq!(client.attempt(), Outcome::TimedOut);
}

#[test]
fn a_held_connection_stays_until_it_is_cut_and_is_then_made_anew() {
    let address = serve(vec![echo_twice, echo_once]);
    let mut client = Client::new(Endpoint::Held(Peer::Tcp(address)), PATIENCE);
    let mut attempt = || (client.attempt(), client.reconnected());
    assert_eq!(attempt(), (Outcome::Good, false));
    assert_eq!(attempt(), (Outcome::Good, false));
    let (cut, again) = attempt();
    assert!(matches!(cut, Outcome::Eof | Outcome::Reset), "{cut:?}");
    assert!(!again);
    assert_eq!(attempt(), (Outcome::Good, true));
}

#[test]
fn a_late_answer_to_an_earlier_ping_is_no_answer() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut client = Client::new(
        Endpoint::Udp(server.local_addr().unwrap()),
        Duration::from_millis(20),
    );
    assert_eq!(client.attempt(), Outcome::TimedOut);
    client
        .udp
        .as_ref()
        .unwrap()
        .set_read_timeout(Some(PATIENCE))
        .unwrap();
    client.timeout = PATIENCE;
    let answering = std::thread::spawn(move || {
        let mut pings = Vec::new();
        for _ in 0..2 {
            let mut ping = [0; 8];
            let (_, from) = server.recv_from(&mut ping).unwrap();
            pings.push(ping);
            if pings.len() == 2 {
                for ping in &pings {
                    server.send_to(ping, from).unwrap();
                }
            }
        }
    });
    assert_eq!(client.attempt(), Outcome::Good);
    answering.join().unwrap();
}

#[test]
fn an_activation_reads_to_the_end() {
    fn two_parts(mut stream: TcpStream) {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        stream.write_all(&all).unwrap();
        stream.write_all(b"and more").unwrap();
    }
    let address = serve(vec![two_parts, half, silent]);
    assert_eq!(
        outcomes(Endpoint::Activation(Peer::Tcp(address)), 3),
        [Outcome::Good, Outcome::ShortReply, Outcome::Eof]
    );
}

#[test]
fn a_control_socket_has_to_say_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let replies: [&[u8]; 4] = [
        b"{\"parameters\":{\"interfaces\":[\"org.varlink.service\"]}}\0",
        b"{\"error\":\"org.varlink.service.MethodNotFound\",\"parameters\":{}}\0",
        b"{\"parameters\":{\"inter",
        b"",
    ];
    let server = std::thread::spawn(move || {
        for reply in replies {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; GET_INFO.len()];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(reply).unwrap();
        }
    });
    assert_eq!(
        outcomes(Endpoint::Varlink(path), 4),
        [Outcome::Good, Outcome::Wrong, Outcome::ShortReply, Outcome::Eof]
    );
    server.join().unwrap();
}
