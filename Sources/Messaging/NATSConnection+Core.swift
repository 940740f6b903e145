import CNATS
import Glibc
import Runtime

extension NATSConnection {
    /// Hands a message to the library, without any answer or guarantee: at most once.
    ///
    /// - Throws: `notConnected` when it was surely not sent.
    public func publish(_ payload: [UInt8], to subject: String) throws(MessagingError) {
        guard let (link, _) = current() else { throw isStopping ? .closed : .notConnected }
        let status = payload.withUnsafeBytes { bytes in
            natsConnection_Publish(link.handle, subject, bytes.baseAddress, Int32(bytes.count))
        }
        try check(status, "publish")
    }

    /// Asks and waits for one answer, blocking. Only for threads the program owns.
    ///
    /// - Parameter timeout: how long to wait; the configuration's request timeout when nil.
    /// - Returns: the answer's bytes.
    @available(*, noasync, message: "blocks the thread; in a task run it through `runOnOwnThread`")
    public func request(
        _ payload: [UInt8], to subject: String, timeout: Duration? = nil
    ) throws(MessagingError) -> [UInt8] {
        guard let (link, _) = current() else { throw isStopping ? .closed : .notConnected }
        let limit = max(1, (timeout ?? configuration.requestTimeout).wholeMilliseconds)
        var reply: OpaquePointer?
        let status = payload.withUnsafeBytes { bytes in
            natsConnection_Request(
                &reply, link.handle, subject, bytes.baseAddress?.assumingMemoryBound(to: CChar.self),
                Int32(bytes.count), limit)
        }
        try check(status, subject)
        guard let reply else { throw .badReply(operation: subject, description: "no message") }
        defer { natsMsg_Destroy(reply) }
        return messageBytes(reply)
    }

    /// Waits until the server has read everything sent so far, blocking. Only for threads the program owns.
    @available(*, noasync, message: "blocks the thread; in a task run it through `runOnOwnThread`")
    public func flush(timeout: Duration) throws(MessagingError) {
        guard let (link, _) = current() else { throw isStopping ? .closed : .notConnected }
        try check(natsConnection_FlushTimeout(link.handle, max(1, timeout.wholeMilliseconds)), "flush")
    }
}

/// A copy of a message's payload.
func messageBytes(_ message: OpaquePointer) -> [UInt8] {
    let count = Int(natsMsg_GetDataLength(message))
    guard count > 0, let data = natsMsg_GetData(message) else { return [] }
    return Array(UnsafeRawBufferPointer(start: data, count: count))
}

/// A fresh subject on which answers can be received.
func makeInbox() throws(MessagingError) -> String {
    // natsInbox is a plain char: its functions take and give C strings.
    var made: UnsafeMutablePointer<natsInbox>?
    try check(natsInbox_Create(&made), "inbox")
    guard let made else { throw .client(operation: "inbox", status: 0, description: "none made") }
    defer { natsInbox_Destroy(made) }
    return String(cString: made)
}
