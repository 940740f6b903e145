import CSys
import Glibc

/// Tells which of many sockets are ready, with a resolution below a millisecond. A socket that is closed is forgotten.
struct Poller: ~Copyable {
    /// What a socket is waited for.
    enum Interest {
        /// Bytes or the end of the connection.
        case input
        /// Room for more bytes, or the outcome of a connection attempt.
        case output

        fileprivate var events: UInt32 { self == .input ? csys_readable | csys_peer_closed : csys_writable }
    }

    private let epoll: Int32
    private var events = [epoll_event](repeating: epoll_event(), count: 512)

    init() {
        epoll = csys_epoll_create()
        precondition(epoll >= 0, "no descriptor is left for epoll")
    }

    deinit { close(epoll) }

    /// Begins to wait for a socket that belongs to `owner`.
    func add(_ descriptor: Int32, of owner: Int, for interest: Interest) {
        expect(EPOLL_CTL_ADD, descriptor, of: owner, interest.events)
    }

    /// Waits for something else of the socket from now on.
    func change(_ descriptor: Int32, of owner: Int, to interest: Interest) {
        expect(EPOLL_CTL_MOD, descriptor, of: owner, interest.events)
    }

    /// Does not look at the socket any more.
    func remove(_ descriptor: Int32) { expect(EPOLL_CTL_DEL, descriptor, of: 0, 0) }

    /// How many sockets are ready; 0 after `nanoseconds` or on an interruption. Those beyond 512 are told next time.
    mutating func wait(_ nanoseconds: Int64) -> Int {
        let epoll = epoll
        let ready = events.withUnsafeMutableBufferPointer { buffer in
            csys_epoll_wait_precisely(epoll, buffer.baseAddress, Int32(buffer.count), max(0, nanoseconds))
        }
        return max(0, Int(ready))
    }

    /// To whom the ready socket at `position` belongs.
    func owner(at position: Int) -> Int {
        events.withUnsafeBufferPointer { Int(csys_token($0.baseAddress?.advanced(by: position))) }
    }

    private func expect(_ operation: Int32, _ descriptor: Int32, of owner: Int, _ events: UInt32) {
        let code = csys_epoll_expect(epoll, operation, descriptor, events, UInt64(owner))
        precondition(code == 0, "a socket cannot be waited for")
    }
}
