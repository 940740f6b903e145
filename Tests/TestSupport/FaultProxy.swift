internal import Glibc
internal import Runtime
internal import Synchronization

/// A TCP relay on 127.0.0.1 that can be told to misbehave, to test what a lost or hanging connection does.
public final class FaultProxy: Sendable {
    /// A direction through the relay.
    public enum Direction: Sendable, Hashable {
        /// From the client to the server.
        case toServer
        /// From the server to the client.
        case toClient
    }

    /// How a connection ends.
    public enum Ending: Sendable, Hashable {
        /// In order (FIN).
        case close
        /// With an error (RST).
        case reset
    }

    struct Trigger: Sendable {
        var pattern: [UInt8]
        var direction: Direction
        var forwards: Bool
        var ending: Ending?
    }

    struct State: Sendable {
        var stalled: Set<Direction> = []
        var refuses = false
        var isStopped = false
        /// Connections made before this number has grown end.
        var generation = 0
        var ending = Ending.close
        var trigger: Trigger?
        var fired = 0
        /// By the generation they belong to.
        var links: [Int: Int] = [:]
        var accepted = 0
        var upstream: UInt16
    }

    /// The port clients connect to.
    public let port: UInt16
    private let state: Mutex<State>

    /// A relay to a port on 127.0.0.1, ready to be used.
    public init(upstream: UInt16) throws {
        state = Mutex(State(upstream: upstream))
        let (listener, port) = try LoopbackSocket.listen()
        self.port = port
        _ = try OwnedThread(name: "fault-proxy") { [weak self] in
            Self.accept(on: listener) { [weak self] in self }
            close(listener)
        }
    }

    deinit { state.withLock { $0.isStopped = true } }

    /// The connections relayed at the moment.
    public var connections: Int { state.withLock { $0.links.values.reduce(0, +) } }
    /// The connections ever taken.
    public var accepted: Int { state.withLock { $0.accepted } }
    /// How often a trigger has fired.
    public var fired: Int { state.withLock { $0.fired } }

    /// Stops forwarding, by default both ways; connections stay open.
    public func stall(_ directions: Set<Direction> = [.toServer, .toClient]) {
        state.withLock { $0.stalled = directions }
    }

    /// Forwards again and takes connections again.
    public func resume() {
        state.withLock {
            $0.stalled = []
            $0.refuses = false
        }
    }

    /// Ends all connections; returns once they are gone, whoever may have come meanwhile.
    public func cut(_ ending: Ending = .close) async throws {
        let generation = state.withLock {
            $0.generation += 1
            $0.ending = ending
            return $0.generation
        }
        try await eventually("the relay's connections end") {
            state.withLock { state in state.links.allSatisfy { $0.key >= generation || $0.value == 0 } }
        }
    }

    /// Ends all connections and every new one until `resume()`: the server seems to be away.
    public func refuse() async throws {
        state.withLock { $0.refuses = true }
        try await cut(.reset)
    }

    /// Acts once, on the first piece of data in a direction that contains a text.
    ///
    /// - Parameters:
    ///   - text: what to look for.
    ///   - direction: where to look.
    ///   - forwards: whether the piece still gets through.
    ///   - ending: how the connection ends afterwards; nil stalls the relay both ways instead.
    public func when(_ text: String, _ direction: Direction, forwards: Bool, then ending: Ending?) {
        let trigger = Trigger(pattern: Array(text.utf8), direction: direction, forwards: forwards, ending: ending)
        state.withLock { $0.trigger = trigger }
    }

    /// Leads new connections to another port.
    public func redirect(to upstream: UInt16) { state.withLock { $0.upstream = upstream } }

    private static func accept(on listener: Int32, _ proxy: @Sendable () -> FaultProxy?) {
        while true {
            var entry = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
            let ready = poll(&entry, 1, 20)
            guard let proxy = proxy() else { return }
            guard ready > 0 else { continue }
            let client = Glibc.accept(listener, nil, nil)
            guard client >= 0 else { continue }
            _ = fcntl(client, F_SETFD, FD_CLOEXEC)
            proxy.relay(client)
        }
    }

    private func relay(_ client: Int32) {
        let (refuses, upstream, generation) = state.withLock { state in
            state.accepted += 1
            return (state.refuses, state.upstream, state.generation)
        }
        guard !refuses, let server = LoopbackSocket.connect(to: upstream) else {
            FaultLink.close(client, .reset)
            return
        }
        state.withLock { $0.links[generation, default: 0] += 1 }
        let thread = try? OwnedThread(name: "fault-link") { [weak self] in
            var link = FaultLink(client: client, server: server, generation: generation)
            link.run { body in self?.state.withLock { state in body(&state) } }
            self?.state.withLock { $0.links[generation, default: 0] -= 1 }
        }
        if thread == nil {
            state.withLock { $0.links[generation, default: 0] -= 1 }
            FaultLink.close(client, .reset)
            FaultLink.close(server, .reset)
        }
    }
}

/// One relayed connection, on a thread of its own.
struct FaultLink {
    let client: Int32
    let server: Int32
    let generation: Int
    private var tails: [FaultProxy.Direction: [UInt8]] = [:]
    private var finished: Set<FaultProxy.Direction> = []

    init(client: Int32, server: Int32, generation: Int) {
        self.client = client
        self.server = server
        self.generation = generation
        for descriptor in [client, server] {
            var on: Int32 = 1
            setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
        }
    }

    private enum Step {
        case forward
        case pause
        case end(FaultProxy.Ending)
    }

    static func close(_ descriptor: Int32, _ ending: FaultProxy.Ending) {
        if ending == .reset {
            var abort = linger(l_onoff: 1, l_linger: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &abort, socklen_t(MemoryLayout<linger>.size))
        }
        Glibc.close(descriptor)
    }

    mutating func run(_ ask: ((inout FaultProxy.State) -> Void) -> Void?) {
        var ending = FaultProxy.Ending.close
        relaying: while finished.count < 2 {
            var stalled: Set<FaultProxy.Direction>?
            var ordered: FaultProxy.Ending?
            ask { state in
                stalled = state.stalled
                if state.isStopped { ordered = .close }
                if state.generation > generation { ordered = state.ending }
            }
            guard let stalled, ordered == nil else {
                ending = ordered ?? .close
                break
            }
            var entries = [
                pollfd(fd: listens(.toServer, stalled) ? client : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: listens(.toClient, stalled) ? server : -1, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&entries, 2, 10) > 0 else { continue }
            for (entry, direction) in zip(entries, [FaultProxy.Direction.toServer, .toClient])
            where entry.fd >= 0 && entry.revents != 0 {
                switch move(direction, ask) {
                case .forward: continue
                case .pause: continue relaying
                case .end(let how):
                    ending = how
                    break relaying
                }
            }
        }
        Self.close(client, ending)
        Self.close(server, ending)
    }

    private func listens(_ direction: FaultProxy.Direction, _ stalled: Set<FaultProxy.Direction>) -> Bool {
        !finished.contains(direction) && !stalled.contains(direction)
    }

    /// Moves what is there in one direction.
    private mutating func move(
        _ direction: FaultProxy.Direction, _ ask: ((inout FaultProxy.State) -> Void) -> Void?
    ) -> Step {
        let (source, target) = direction == .toServer ? (client, server) : (server, client)
        var block = [UInt8](repeating: 0, count: 65_536)
        let count = recv(source, &block, block.count, 0)
        guard count >= 0 else { return .end(.reset) }
        guard count > 0 else {
            finished.insert(direction)
            shutdown(target, Int32(SHUT_WR))
            return .forward
        }
        let piece = (tails[direction] ?? []) + block[..<count]
        var fired: FaultProxy.Trigger?
        ask { state in
            guard let trigger = state.trigger, trigger.direction == direction else { return }
            guard Self.contains(piece, trigger.pattern) else { return }
            fired = trigger
            state.trigger = nil
            state.fired += 1
            if trigger.ending == nil { state.stalled = [.toServer, .toClient] }
        }
        tails[direction] = Array(piece.suffix(63))
        if fired?.forwards ?? true, !Self.sendAll(block[..<count], to: target) { return .end(.reset) }
        guard let fired else { return .forward }
        return fired.ending.map { .end($0) } ?? .pause
    }

    private static func contains(_ bytes: [UInt8], _ pattern: [UInt8]) -> Bool {
        guard !pattern.isEmpty, bytes.count >= pattern.count else { return false }
        return (0...(bytes.count - pattern.count)).contains { bytes[$0..<($0 + pattern.count)].elementsEqual(pattern) }
    }

    private static func sendAll(_ bytes: ArraySlice<UInt8>, to target: Int32) -> Bool {
        var rest = bytes
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes { send(target, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard sent > 0 else { return false }
            rest = rest.dropFirst(sent)
        }
        return true
    }
}
