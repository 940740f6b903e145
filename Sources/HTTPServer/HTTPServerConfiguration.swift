/// Where the server listens and what it allows.
public struct HTTPServerConfiguration: Sendable {
    /// A name or an address to listen on, such as `127.0.0.1`, `::1` or `localhost`.
    public var host: String
    /// The port; 0 lets the system choose, see `HTTPServer.port`.
    public var port: UInt16
    /// Event loops, each with its own thread and listening socket.
    public var loops = 1
    /// Connections open at once. Those beyond it are accepted and answered with 503, so that a client learns why;
    /// beyond another 64 of these, connections are closed without an answer.
    public var maxConnections = 4096
    /// Bytes of request line and header fields together; at most 65,535.
    public var maxHeadBytes = 16 * 1024
    /// Header fields in a request.
    public var maxFields = 64
    /// Bytes of bodies that all connections together may hold; beyond it requests are answered with 503.
    public var maxBufferedBodyBytes = 256 * 1024 * 1024
    /// The largest body for a method and path. Asked once for each request that has a body.
    public var bodyLimit: @Sendable (HTTPMethod, String) -> Int = { _, _ in 64 * 1024 }
    /// From the first byte of a request to the end of its head; for a new connection from its beginning.
    public var headerTimeout: Duration = .seconds(10)
    /// From the end of the head to the end of the body.
    public var bodyTimeout: Duration = .seconds(10)
    /// Between two requests of a connection.
    public var idleTimeout: Duration = .seconds(60)
    /// Without progress while the client should be reading an answer.
    public var writeStallTimeout: Duration = .seconds(10)
    /// From `stop()` until connections are cut, whatever they are doing.
    public var drainDeadline: Duration = .seconds(10)
    /// Renders the answer to a request that the server refuses itself. Runs on the loop's thread: it must be quick.
    public var protocolError: @Sendable (ProtocolError) -> Response = { $0.defaultResponse }

    /// Settings for an address; everything else has a default.
    public init(host: String = "127.0.0.1", port: UInt16) {
        self.host = host
        self.port = port
    }

    var limits: RequestLimits {
        RequestLimits(maxHeadBytes: min(maxHeadBytes, Int(UInt16.max)), maxFields: maxFields, bodyLimit: bodyLimit)
    }

    /// How often timers are looked at: once a second, or oftener when a timeout is shorter than that.
    var sweepInterval: Duration {
        let shortest = min(headerTimeout, bodyTimeout, idleTimeout, writeStallTimeout, drainDeadline)
        return max(.milliseconds(20), min(.seconds(1), shortest / 4))
    }
}

/// The limits that the pure parts know.
struct RequestLimits: Sendable {
    var maxHeadBytes = 16 * 1024
    var maxFields = 64
    var bodyLimit: @Sendable (HTTPMethod, String) -> Int = { _, _ in 64 * 1024 }
}
