import Runtime

/// How to reach NATS, and how patient to be.
public struct NATSConfiguration: Sendable {
    /// Server addresses such as `nats://user:password@host:4222`; any of them will do. Credentials may stand in the
    /// address (`user:password@`, or one word: a token). `tls://` encrypts.
    public var urls: [String]
    /// The name the server shows for this connection.
    public var name: String
    /// A credentials file (JWT and seed), instead of credentials in the address.
    public var credentialsFile: String?
    /// A file with the certificate authorities to trust with `tls://`; the system's when nil.
    public var certificateAuthorities: String?
    /// How long one attempt to connect to one server may take.
    public var connectTimeout: Duration = .seconds(2)
    /// How often the server is asked for a sign of life; two unanswered questions end the connection.
    public var pingInterval: Duration = .seconds(5)
    /// How long a write to a stuck server may block before the connection is given up.
    public var writeDeadline: Duration = .seconds(5)
    /// The pause before a lost connection is tried again, per server.
    public var reconnectWait: Duration = .milliseconds(100)
    /// How long requests to the server's API wait for their answer.
    public var requestTimeout: Duration = .seconds(5)

    /// Makes a configuration with the given servers and the default patience.
    ///
    /// - Parameters:
    ///   - urls: one address or several.
    ///   - name: shown by the server in its list of connections.
    /// - Throws: `MessagingError.invalidConfiguration` when there is no address or one cannot be used.
    public init(urls: [String], name: String) throws(MessagingError) {
        guard !urls.isEmpty else { throw .invalidConfiguration("no server address") }
        for url in urls {
            if let flaw = Self.flaw(ofURL: url) { throw .invalidConfiguration("\(Masking.masked(url)): \(flaw)") }
        }
        self.urls = urls
        self.name = name
    }

    /// Makes a configuration from a comma-separated list of addresses.
    public init(list: String, name: String) throws(MessagingError) {
        let urls = list.split(separator: ",").map { String($0.trimmed) }.filter { !$0.isEmpty }
        try self.init(urls: urls, name: name)
    }

    /// What is wrong with the address of a server, or nil when `init` takes it. Never quotes the address.
    public static func flaw(ofURL url: String) -> String? {
        do throws(NATSAddress.Flaw) {
            _ = try NATSAddress(url)
            return nil
        } catch {
            return error.reason
        }
    }

    /// The addresses without their secrets, for logs.
    public var maskedURLs: String { urls.map(Masking.masked).joined(separator: ",") }

    /// The same settings under another name, for a second connection.
    public func named(_ name: String) -> NATSConfiguration {
        var copy = self
        copy.name = name
        return copy
    }
}

/// Host and port of a server address.
struct NATSAddress: Equatable, Sendable {
    /// Why a text is no address.
    struct Flaw: Error {
        let reason: String
    }

    let host: String
    let port: UInt16

    /// Takes an address apart.
    init(_ url: String) throws(Flaw) {
        var rest = Substring(url)
        if let separator = rest.firstRange(of: "://") {
            guard ["nats", "tls"].contains(rest[..<separator.lowerBound]) else {
                throw Flaw(reason: "the scheme must be nats or tls")
            }
            rest = rest[separator.upperBound...]
        }
        if rest.last == "/" { rest = rest.dropLast() }
        if let at = rest.lastIndex(of: "@") { rest = rest[rest.index(after: at)...] }
        var portText: Substring?
        if rest.first == "[" {
            guard let end = rest.firstIndex(of: "]") else { throw Flaw(reason: "the bracket is not closed") }
            host = String(rest[rest.index(after: rest.startIndex)..<end])
            let tail = rest[rest.index(after: end)...]
            guard tail.isEmpty || tail.first == ":" else { throw Flaw(reason: "something follows the host") }
            portText = tail.isEmpty ? nil : tail.dropFirst()
        } else {
            let parts = rest.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count <= 2 else { throw Flaw(reason: "an IPv6 host needs brackets") }
            host = String(parts.first ?? "")
            portText = parts.count == 2 ? parts[1] : nil
        }
        guard !host.isEmpty, !host.contains("/"), !host.contains(" ") else {
            throw Flaw(reason: "it has no usable host")
        }
        guard let portText else {
            port = 4222
            return
        }
        guard portText.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = UInt16(portText), number > 0 else {
            throw Flaw(reason: "the port is not a number of 1 to 65535")
        }
        port = number
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var text = self
        while text.first?.isWhitespace == true { text = text.dropFirst() }
        while text.last?.isWhitespace == true { text = text.dropLast() }
        return text
    }
}
