/// Something that lives as long as the process: a server, a worker loop.
public protocol Service: Sendable {
    /// The name for logs.
    var name: String { get }

    /// Does the work until `stop()` was called and the work in hand is finished. Throws when it cannot go on.
    /// Returning without having been asked is an error of the service. Past the shutdown deadline the task is
    /// cancelled.
    func run() async throws

    /// Asks `run()` to finish gracefully and to return. May be called before `run()` got going and more than once.
    func stop() async
}
