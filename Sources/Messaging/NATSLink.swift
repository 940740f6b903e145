import CNATS
import Glibc
import Runtime
import Synchronization

/// What happens to one connection object of the C library, told on one thread for all connections.
enum LinkEvent: Sendable {
    case disconnected
    case reconnected
    /// The object will never connect again, for instance after two refused passwords in a row.
    case closed(reason: String)
    /// Something asynchronous: a missing permission, a slow subscription.
    case complaint(String)
}

/// One connection object of the C library, from its first success to connect until it is closed for good.
/// The library reconnects it by itself; a closed one is replaced by the supervisor of `NATSConnection`.
final class NATSLink: @unchecked Sendable {
    // Unchecked because of the pointer: the library locks its connection objects itself.
    let handle: OpaquePointer
    private let token: Int

    /// Tells numbers of links apart in events: a late event of an old link must not hit the new one.
    var id: Int { token }

    private final class Sink: Sendable {
        let receive: @Sendable (Int, LinkEvent) -> Void
        init(receive: @escaping @Sendable (Int, LinkEvent) -> Void) { self.receive = receive }
    }

    private static let sinks = CallbackTable<Sink>()

    /// Connects, blocking for the connect timeout of each server at most.
    init(
        _ configuration: NATSConfiguration, receive: @escaping @Sendable (Int, LinkEvent) -> Void
    ) throws(MessagingError) {
        token = Self.sinks.insert(Sink(receive: receive))
        do throws(MessagingError) {
            handle = try Self.connect(configuration, token)
        } catch {
            Self.sinks.remove(token)
            throw error
        }
    }

    deinit {
        natsConnection_Destroy(handle)
        Self.sinks.remove(token)
    }

    /// The address of the server in use, without secrets; nil while there is none.
    var server: String? {
        var buffer = [CChar](repeating: 0, count: 1024)
        guard natsConnection_GetConnectedUrl(handle, &buffer, buffer.count) == NATS_OK else { return nil }
        let text = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.isEmpty ? nil : Masking.masked(text)
    }

    private static func connect(
        _ configuration: NATSConfiguration, _ token: Int
    ) throws(MessagingError) -> OpaquePointer {
        var made: OpaquePointer?
        try check(natsOptions_Create(&made), "options")
        guard let options = made else { throw .client(operation: "options", status: 0, description: "none made") }
        defer { natsOptions_Destroy(options) }
        try set(options, configuration)
        try setCallbacks(options, CallbackTable<Sink>.context(token))
        var connection: OpaquePointer?
        try check(natsConnection_Connect(&connection, options), "connect")
        guard let connection else { throw .notConnected }
        return connection
    }

    private static func set(_ options: OpaquePointer, _ configuration: NATSConfiguration) throws(MessagingError) {
        // The library copies what it is given, but only during the call.
        var addresses: [UnsafePointer<CChar>?] = configuration.urls.map { UnsafePointer(strdup($0)) }
        defer { for address in addresses { free(UnsafeMutableRawPointer(mutating: address)) } }
        let count = Int32(addresses.count)
        try check(natsOptions_SetServers(options, &addresses, count), "servers")
        try check(natsOptions_SetName(options, configuration.name), "name")
        if let file = configuration.credentialsFile {
            try check(natsOptions_SetUserCredentialsFromFiles(options, file, nil), "credentials file")
        }
        if let file = configuration.certificateAuthorities {
            try check(natsOptions_LoadCATrustedCertificates(options, file), "certificate authorities")
        }
        let wait = max(1, configuration.reconnectWait.wholeMilliseconds)
        try check(natsOptions_SetTimeout(options, configuration.connectTimeout.wholeMilliseconds), "timeout")
        try check(natsOptions_SetPingInterval(options, configuration.pingInterval.wholeMilliseconds), "ping interval")
        try check(natsOptions_SetMaxPingsOut(options, 2), "pings")
        try check(natsOptions_SetWriteDeadline(options, configuration.writeDeadline.wholeMilliseconds), "deadline")
        try check(natsOptions_SetAllowReconnect(options, true), "reconnect")
        try check(natsOptions_SetMaxReconnect(options, -1), "reconnect")
        try check(natsOptions_SetReconnectWait(options, wait), "reconnect wait")
        try check(natsOptions_SetReconnectJitter(options, wait, wait * 5), "reconnect jitter")
        // Nothing waits for a reconnect inside the library: what cannot be sent now fails now, and its owner decides.
        try check(natsOptions_SetReconnectBufSize(options, 0), "reconnect buffer")
        try check(natsOptions_SetFailRequestsOnDisconnect(options, true), "requests")
    }

    private static func setCallbacks(
        _ options: OpaquePointer, _ context: UnsafeMutableRawPointer?
    ) throws(MessagingError) {
        try check(
            natsOptions_SetDisconnectedCB(options, { _, context in NATSLink.tell(context, .disconnected) }, context),
            "callback")
        try check(
            natsOptions_SetReconnectedCB(options, { _, context in NATSLink.tell(context, .reconnected) }, context),
            "callback")
        try check(
            natsOptions_SetClosedCB(
                options,
                { connection, context in
                    NATSLink.tell(context, .closed(reason: NATSLink.lastError(connection)))
                }, context),
            "callback")
        try check(
            natsOptions_SetErrorHandler(
                options,
                { connection, _, status, context in
                    let text = natsStatus_GetText(status).map { String(cString: $0) } ?? "unknown"
                    NATSLink.tell(context, .complaint("\(text): \(NATSLink.lastError(connection))"))
                }, context), "callback")
    }

    private static func tell(_ context: UnsafeMutableRawPointer?, _ event: LinkEvent) {
        sinks.target(of: context)?.receive(Int(bitPattern: context), event)
    }

    private static func lastError(_ connection: OpaquePointer?) -> String {
        var text: UnsafePointer<CChar>?
        let status = natsConnection_GetLastError(connection, &text)
        let detail = text.map { String(cString: $0) } ?? ""
        let name = natsStatus_GetText(status).map { String(cString: $0) } ?? ""
        return Masking.masked(detail.isEmpty ? name : detail)
    }
}
