//! Which of a runtime's sockets have their other end elsewhere.

use std::{
    collections::{HashMap, HashSet},
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd, RawFd},
};

use tokio::{net::UnixStream, runtime::Handle};

use super::{Outside, registered};

/// The sockets, and other sources of events, that somebody outside of the runtime may still write to.
pub(super) fn open(handle: &Handle) -> Vec<Outside> {
    let counted = registered(handle);
    if counted == 0 {
        return Vec::new();
    }
    let unknown = || vec![Outside::Socket("a peer that the system does not tell".into())];
    let Some(own) = registered_descriptors(handle) else { return unknown() };
    let kinds: HashMap<_, _> = own.iter().filter_map(|fd| Some((kind(&link(*fd)?)?, *fd))).collect();
    let own: HashSet<_> = kinds.keys().filter_map(Kind::socket).collect();
    let tcp = connections();
    let ends: HashMap<_, _> = tcp.values().map(|end| ((end.local, end.remote), end)).collect();
    let mut open: Vec<_> = own
        .iter()
        .filter_map(|inode| {
            let end = tcp.get(inode)?;
            let inside = ends.get(&(end.remote, end.local)).is_some_and(|peer| own.contains(&peer.inode));
            (end.may_answer() && !inside).then(|| Outside::Socket(end.remote.to_string()))
        })
        .collect();
    // The other end of these is not told. One may be tokio's own, for signals, which tokio does not count. A socket in no table
    // is a TCP connection that both ends have closed.
    let untold = without_peers();
    let untold = own.iter().filter(|inode| untold.contains(inode)).count();
    if untold > kinds.len().saturating_sub(usize::try_from(counted).unwrap_or(usize::MAX)) {
        open.push(Outside::Socket("a peer that the system does not tell: it is no TCP connection".into()));
    }
    open.extend(others(&kinds));
    open
}

/// Children's pipes, and whatever else can become ready.
fn others(kinds: &HashMap<Kind, RawFd>) -> Vec<Outside> {
    let pipes = kinds.iter().filter_map(|(kind, fd)| Some((kind.pipe()?, *fd)));
    let outside = pipes.filter(|(inode, fd)| !has_other_end(*inode, *fd));
    let mut open: Vec<_> = outside.map(|_| Outside::Socket("a pipe's other end".into())).collect();
    if kinds.contains_key(&Kind::Other) {
        open.push(Outside::Socket("another source of events".into()));
    }
    open
}

/// Whether this process has the other end of the pipe too.
fn has_other_end(inode: u64, own: RawFd) -> bool {
    let all = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    let others = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(|fd: &RawFd| *fd != own);
    others.filter_map(link).any(|link| kind(&link) == Some(Kind::Pipe(inode)))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Socket(u64),
    Pipe(u64),
    /// A child's descriptor. `outside::children` tells of the child itself.
    Child,
    /// A timer, a watch of files.
    Other,
}

impl Kind {
    fn socket(&self) -> Option<u64> {
        if let Self::Socket(inode) = self { Some(*inode) } else { None }
    }

    fn pipe(&self) -> Option<u64> {
        if let Self::Pipe(inode) = self { Some(*inode) } else { None }
    }
}

/// What a descriptor is, from its link in `/proc/self/fd`; `None` for the driver's own.
fn kind(link: &str) -> Option<Kind> {
    let number = |prefix: &str| link.strip_prefix(prefix)?.strip_suffix(']')?.parse().ok();
    match number("socket:[") {
        Some(inode) => Some(Kind::Socket(inode)),
        None if link == "anon_inode:[eventfd]" => None,
        None if link == "anon_inode:[pidfd]" => Some(Kind::Child),
        None => Some(number("pipe:[").map_or(Kind::Other, Kind::Pipe)),
    }
}

fn link(fd: RawFd) -> Option<String> {
    Some(fs::read_link(format!("/proc/self/fd/{fd}")).ok()?.to_str()?.to_owned())
}

/// The descriptors that the runtime has registered with its driver, without those that are added here.
fn registered_descriptors(handle: &Handle) -> Option<Vec<RawFd>> {
    // Which of the process's epoll instances is the runtime's, a registered descriptor of known number tells.
    let _context = handle.enter();
    let (mark, other) = UnixStream::pair().ok()?;
    let marks = [mark.as_raw_fd(), other.as_raw_fd()];
    let all = fs::read_dir("/proc/self/fdinfo").ok()?.flatten();
    let texts = all.filter_map(|entry| fs::read_to_string(entry.path()).ok());
    let mut lists = texts.map(|text| text.lines().filter_map(registration).collect::<Vec<_>>());
    let own = lists.find(|list| list.contains(&marks[0]))?;
    Some(own.into_iter().filter(|fd| !marks.contains(fd)).collect())
}

/// The descriptor in a line such as `tfd:       12 events: 8000201d data: …`.
fn registration(line: &str) -> Option<RawFd> {
    line.strip_prefix("tfd:")?.split_whitespace().next()?.parse().ok()
}

/// One end of a TCP connection.
#[derive(Clone, Copy, Debug)]
struct End {
    local: SocketAddr,
    remote: SocketAddr,
    /// The kernel's number of the state.
    state: u8,
    inode: u64,
}

impl End {
    /// Whether the peer may still send something. Numbers from the kernel's `tcp_states.h`.
    fn may_answer(&self) -> bool {
        // Established, in the middle of connecting, or closed by this side only. A peer that has closed sends nothing more,
        // and a socket that listens has no peer.
        matches!(self.state, 0x01..=0x05)
    }
}

/// All TCP connections of this network, by the socket's inode.
fn connections() -> HashMap<u64, End> {
    let tables =
        ["tcp", "tcp6"].into_iter().filter_map(|name| fs::read_to_string(format!("/proc/thread-self/net/{name}")).ok());
    tables.flat_map(|table| table.lines().filter_map(end).collect::<Vec<_>>()).map(|end| (end.inode, end)).collect()
}

/// The inodes of sockets for which the kernel tells no peer: in `/proc/net/unix` the seventh word of a line, in `udp` and `udp6`
/// the tenth.
fn without_peers() -> HashSet<u64> {
    let tables = [("unix", 6), ("udp", 9), ("udp6", 9)].into_iter().filter_map(|(name, column)| {
        let table = fs::read_to_string(format!("/proc/thread-self/net/{name}")).ok()?;
        Some(table.lines().filter_map(|line| line.split_whitespace().nth(column)?.parse().ok()).collect::<Vec<_>>())
    });
    tables.flatten().collect()
}

/// Reads a line of `/proc/net/tcp` or `tcp6`: the second and third words are addresses, the fourth is the state, the tenth
/// the inode.
fn end(line: &str) -> Option<End> {
    let words: Vec<_> = line.split_whitespace().collect();
    let [_, local, remote, state, ..] = words[..] else { return None };
    let (local, remote) = (address(local)?, address(remote)?);
    let state = u8::from_str_radix(state, 16).ok()?;
    Some(End { local, remote, state, inode: words.get(9)?.parse().ok()? })
}

/// An address such as `0100007F:1F90`: the IP address as 32-bit words in the machine's order, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |index: usize| u32::from_str_radix(ip.get(index * 8..index * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip = match ip.len() {
        8 => IpAddr::V4(Ipv4Addr::from(word(0)?)),
        32 => {
            let mut bytes = [0; 16];
            for index in 0..4 {
                bytes[index * 4..index * 4 + 4].copy_from_slice(&word(index)?);
            }
            // A socket that speaks both versions writes an IPv4 peer in the longer form.
            IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_kernel_are_read() {
        let line =
            "   1: 0100007F:1F90 0100007F:AD73 01 00000000:00000000 00:00000000 00000000  0  0 10822955 1 00000 100";
        let read = end(line).unwrap();
        assert_eq!((read.local, read.remote), ("127.0.0.1:8080".parse().unwrap(), "127.0.0.1:44403".parse().unwrap()));
        assert_eq!((read.state, read.inode, read.may_answer()), (1, 10_822_955, true));
        let line =
            "0: 0000000000000000FFFF00000100007F:0050 00000000000000000000000001000000:0051 0A 0:0 0:0 0 0 0 77 1";
        let read = end(line).unwrap();
        assert_eq!((read.local, read.remote), ("127.0.0.1:80".parse().unwrap(), "[::1]:81".parse().unwrap()));
        assert!(!read.may_answer(), "it listens");
        assert!(end("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt").is_none());
    }

    #[test]
    fn descriptors_are_told_apart() {
        for (link, wanted) in [
            ("socket:[12]", Some(Kind::Socket(12))),
            ("pipe:[7]", Some(Kind::Pipe(7))),
            ("anon_inode:[eventfd]", None),
            ("anon_inode:[pidfd]", Some(Kind::Child)),
            ("anon_inode:[timerfd]", Some(Kind::Other)),
        ] {
            assert_eq!(kind(link), wanted, "{link}");
        }
        assert_eq!(registration("tfd:       12 events: 8000201d data: 5e0 pos:0 ino:1 sdev:9"), Some(12));
        assert_eq!(registration("pos:\t0"), None);
    }
}
