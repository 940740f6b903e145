import CSys
import Glibc
import Observability

// Reading requests and writing answers. Any write may close the connection: after one, ask `isCurrent` again.

extension EventLoop {
    func isCurrent(_ connection: Connection) -> Bool {
        connections[Int(connection.descriptor)] === connection
    }

    func connectionEvent(_ connection: Connection, _ mask: UInt32) {
        // A reset: there is nobody left to answer.
        if mask & csys_gone != 0 {
            closeConnection(connection)
            return
        }
        if mask & csys_peer_closed != 0 { connection.isPeerClosed = true }
        if mask & (csys_readable | csys_peer_closed) != 0 { connection.isReadable = true }
        if mask & csys_writable != 0, !connection.output.isEmpty {
            flush(connection)
            return
        }
        if connection.isReadable { readInput(connection) }
    }

    /// Reads while requests can be taken on; otherwise the bytes wait in the socket, which slows the client down.
    func readInput(_ connection: Connection) {
        if connection.phase == .lingering {
            discardInput(connection)
            return
        }
        while connection.isReadable, connection.acceptsInput {
            let count = csys_receive(connection.descriptor, readBuffer.baseAddress, readBuffer.count)
            guard count > 0 else {
                if count < 0, errno == EINTR { continue }
                connection.isReadable = false
                if count == 0 || errno != EAGAIN { closeConnection(connection) }
                return
            }
            // A short read has emptied the socket; its next bytes come with an edge. The client's end came already.
            connection.isReadable = count == readBuffer.count || connection.isPeerClosed
            let received = UnsafeBufferPointer(rebasing: UnsafeBufferPointer(readBuffer)[..<count])
            if connection.buffer.isEmpty {
                let used = take(received.span, for: connection)
                guard isCurrent(connection) else { return }
                if used < count { connection.buffer.append(contentsOf: received[used...]) }
            } else {
                connection.buffer.append(contentsOf: received)
                takeBuffered(connection)
                guard isCurrent(connection) else { return }
            }
        }
    }

    private func takeBuffered(_ connection: Connection) {
        let buffer = connection.buffer
        connection.buffer = []
        let used = take(buffer.span, for: connection)
        connection.buffer = buffer
        connection.consumeBuffer(used)
    }

    /// Turns bytes into a request and starts its handler; returns how many bytes are done with.
    private func take(_ input: Span<UInt8>, for connection: Connection) -> Int {
        guard connection.acceptsInput else { return 0 }
        let (used, step) = connection.assembler.advance(input)
        let grown = connection.assembler.heldBodyBytes - connection.countedBodyBytes
        connection.countedBodyBytes += grown
        bufferedBodyBytes += grown
        switch step {
        case .request(let head, let body):
            start(head, body, for: connection)
        case .failed(let error):
            refuse(connection, error)
            return input.count
        case .needsMore(let sendContinue):
            guard bufferedBodyBytes <= configuration.maxBufferedBodyBytes / max(1, configuration.loops) else {
                refuse(connection, .overloaded)
                return input.count
            }
            connection.enterOnce(connection.assembler.isInBody ? .body : .head, now: now)
            if sendContinue { writeContinue(connection) }
        }
        return used
    }

    private func start(_ head: RequestHead, _ body: [UInt8], for connection: Connection) {
        connection.isInFlight = true
        connection.isFresh = false
        // The body stays counted until its answer: the handler holds it.
        bufferedBodyBytes += body.count - connection.countedBodyBytes
        connection.countedBodyBytes = body.count
        connection.framing = ResponseFraming(
            sendsBody: head.method != .head, closes: !head.keepsAlive, isOldClient: head.minorVersion == 0)
        connection.enter(.handling, now: now)
        let request = Request(
            method: head.method, path: head.path, query: head.query, headers: head.headers, body: body,
            remoteAddress: connection.remoteAddress)
        let token = connection.token
        tasksInFlight += 1
        metrics.inFlight.add(1)
        Task.immediate(executorPreference: self) { [self] in
            let response = await handler(request)
            complete(token, response)
        }
    }

    /// Writes a handler's answer and goes on with what the client has sent meanwhile.
    func deliver(_ response: Response, to connection: Connection) {
        connection.isInFlight = false
        connection.assembler.reset()
        releaseBody(connection)
        if isDraining, connection.buffer.isEmpty { connection.framing.closes = true }
        write(response, to: connection)
    }

    /// Answers a request that never reaches a handler, and ends the connection.
    func refuse(_ connection: Connection, _ error: ProtocolError) {
        metrics.countError(error.status)
        logger.debug(
            "refused a request",
            ["status": .int(error.status), "detail": .string(error.detail), "peer": .string(connection.remoteAddress)])
        writer.setDate(time(nil))
        connection.framing = ResponseFraming(sendsBody: !connection.assembler.isHead, closes: true)
        connection.assembler.reset()
        releaseBody(connection)
        write(configuration.protocolError(error), to: connection)
    }

    private func write(_ response: Response, to connection: Connection) {
        connection.closesAfterOutput = connection.framing.closes
        writeBuffer.removeAll(keepingCapacity: writeBuffer.capacity <= 1024 * 1024)
        writer.append(response, framing: connection.framing, to: &writeBuffer)
        let sent = send(writeBuffer, from: 0, on: connection)
        guard let sent else { return }
        guard sent == writeBuffer.count else {
            connection.output = Array(writeBuffer[sent...])
            connection.outputSent = 0
            connection.enter(.writing, now: now)
            return
        }
        finishedOutput(connection)
    }

    private func flush(_ connection: Connection) {
        guard let sent = send(connection.output, from: connection.outputSent, on: connection), sent > 0 else { return }
        connection.outputSent += sent
        connection.enter(.writing, now: now)
        guard connection.outputSent == connection.output.count else { return }
        connection.output = []
        finishedOutput(connection)
    }

    /// The number of bytes the socket took; nil when the connection broke and has been closed.
    private func send(_ bytes: [UInt8], from start: Int, on connection: Connection) -> Int? {
        while true {
            let count = bytes.withUnsafeBytes { buffer in
                csys_send(connection.descriptor, buffer.baseAddress?.advanced(by: start), buffer.count - start)
            }
            if count >= 0 { return count }
            switch errno {
            case EINTR: continue
            case EAGAIN: return 0
            default:
                closeConnection(connection)
                return nil
            }
        }
    }

    private func writeContinue(_ connection: Connection) {
        // Nothing is unsent at this point, so a socket that does not take these bytes is of a client that never reads.
        let line = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)
        guard let sent = send(line, from: 0, on: connection), sent < line.count else { return }
        closeConnection(connection)
    }

    private func finishedOutput(_ connection: Connection) {
        if connection.closesAfterOutput {
            csys_shutdown_write(connection.descriptor)
            connection.buffer = []
            connection.enter(.lingering, now: now)
            connection.isReadable = true
            discardInput(connection)
            return
        }
        connection.enter(.idle, now: now)
        if !connection.buffer.isEmpty { takeBuffered(connection) }
        if isCurrent(connection), connection.isReadable { readInput(connection) }
    }

    /// Reads what nobody wants until the client closes: closing earlier would reset the connection and with it an
    /// answer that the client has not read yet.
    private func discardInput(_ connection: Connection) {
        while connection.isReadable {
            let count = csys_receive(connection.descriptor, readBuffer.baseAddress, readBuffer.count)
            if count > 0 {
                connection.discarded += count
                guard connection.discarded < 16 * 1024 * 1024 else { break }
                continue
            }
            if count < 0, errno == EINTR { continue }
            connection.isReadable = false
            if count < 0, errno == EAGAIN { return }
            break
        }
        closeConnection(connection)
    }

    private func releaseBody(_ connection: Connection) {
        bufferedBodyBytes -= connection.countedBodyBytes
        connection.countedBodyBytes = 0
    }

    /// Closes the socket. A handler at work goes on; its answer finds nobody.
    func closeConnection(_ connection: Connection) {
        guard isCurrent(connection) else { return }
        releaseBody(connection)
        connections[Int(connection.descriptor)] = nil
        connectionCount -= 1
        metrics.open.add(-1)
        close(connection.descriptor)
    }
}
