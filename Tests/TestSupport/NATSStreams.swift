public import Messaging

/// Damage that only tests do to streams and consumers. Blocks: call from a thread of the test's own.
public enum NATSStreams {
    /// Deletes a stream with all its consumers.
    @available(*, noasync)
    public static func delete(_ stream: String, over connection: NATSConnection) throws {
        _ = try connection.request([], to: "$JS.API.STREAM.DELETE.\(stream)")
    }

    /// Removes all messages of a stream; its sequence numbers go on.
    @available(*, noasync)
    public static func purge(_ stream: String, over connection: NATSConnection) throws {
        _ = try connection.request([], to: "$JS.API.STREAM.PURGE.\(stream)")
    }

    /// Deletes a consumer.
    @available(*, noasync)
    public static func deleteConsumer(_ consumer: String, of stream: String, over connection: NATSConnection) throws {
        _ = try connection.request([], to: "$JS.API.CONSUMER.DELETE.\(stream).\(consumer)")
    }
}
