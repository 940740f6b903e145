import Runtime

/// Forms log lines as bytes. Pure.
enum LogLine {
    /// Longer lines are cut, so that one line never fills a pipe or a disk.
    static let limit = 16 * 1024

    static func json(time: Int64, level: Logger.Level, message: String, fields: LogFields) -> [UInt8] {
        var line: [UInt8] = []
        line.reserveCapacity(256)
        line += "{\"time\":\"".utf8
        Clock.appendRFC3339(microseconds: time, to: &line)
        line += "\",\"level\":\"".utf8
        line += level.rawValue.utf8
        line += "\",\"message\":".utf8
        appendQuoted(cut(Masking.masked(message)), to: &line)
        for (name, value) in fields.pairs {
            let start = line.count
            line.append(0x2C)
            appendQuoted(reserved.contains(name) ? "field_" + name : name, to: &line)
            line.append(0x3A)
            append(value, to: &line)
            guard line.count > limit else { continue }
            line.removeSubrange(start...)
            line += ",\"cut\":true".utf8
            break
        }
        line += "}\n".utf8
        return line
    }

    static func text(time: Int64, level: Logger.Level, message: String, fields: LogFields) -> [UInt8] {
        var line: [UInt8] = []
        Clock.appendRFC3339(microseconds: time, to: &line)
        line.append(0x20)
        line += level.rawValue.uppercased().utf8
        line += String(repeating: " ", count: 8 - level.rawValue.utf8.count).utf8
        appendPrintable(cut(Masking.masked(message)), to: &line)
        for (name, value) in fields.pairs {
            line.append(0x20)
            appendPrintable(name, to: &line)
            line.append(0x3D)
            if case .string(let text) = value {
                let shown = cut(Masking.masked(text))
                let isPlain = !shown.isEmpty && shown.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x3D }
                if isPlain { appendPrintable(shown, to: &line) } else { appendQuoted(shown, to: &line) }
            } else {
                append(value, to: &line)
            }
            guard line.count > limit else { continue }
            line += " ...".utf8
            break
        }
        line.append(0x0A)
        return line
    }

    private static let reserved: Set<String> = ["time", "level", "message"]

    private static func cut(_ text: String) -> String {
        guard text.utf8.count > limit / 4 else { return text }
        return String(decoding: text.utf8.prefix(limit / 4), as: UTF8.self) + "..."
    }

    private static func append(_ value: LogValue, to line: inout [UInt8]) {
        switch value {
        case .string(let text): appendQuoted(cut(Masking.masked(text)), to: &line)
        case .int(let number): line += String(number).utf8
        case .double(let number):
            if number.isFinite { line += String(number).utf8 } else { appendQuoted(String(number), to: &line) }
        case .bool(let flag): line += (flag ? "true" : "false").utf8
        }
    }

    private static func appendQuoted(_ text: String, to line: inout [UInt8]) {
        line.append(0x22)
        for byte in text.utf8 {
            switch byte {
            case 0x22: line += [0x5C, 0x22]
            case 0x5C: line += [0x5C, 0x5C]
            case 0x0A: line += [0x5C, 0x6E]
            case 0x0D: line += [0x5C, 0x72]
            case 0x09: line += [0x5C, 0x74]
            case 0x00...0x1F, 0x7F:
                line += [0x5C, 0x75, 0x30, 0x30, digit(byte >> 4), digit(byte & 15)]
            default: line.append(byte)
            }
        }
        line.append(0x22)
    }

    /// Control characters could forge lines or drive the terminal: they become spaces.
    private static func appendPrintable(_ text: String, to line: inout [UInt8]) {
        for byte in text.utf8 { line.append(byte < 0x20 || byte == 0x7F ? 0x20 : byte) }
    }

    private static func digit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x57 + value }
}
