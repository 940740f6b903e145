import Synchronization

/// Names, labels and values of everything that is counted in the process, and their text for Prometheus.
///
/// Resolve a metric once, keep it and count on it: resolving takes a lock, counting does not. Resolving the same name
/// and labels again gives the same metric. Using one name for two kinds is an error of the program and traps.
public final class MetricsRegistry: Sendable {
    /// Label names and values of one metric.
    public typealias Labels = KeyValuePairs<String, String>

    private enum Child: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)
        case reading(@Sendable () -> Double)
    }

    private enum Kind: String, Sendable {
        case counter, gauge, histogram
    }

    private struct Family: Sendable {
        let kind: Kind
        let help: String
        var children: [String: Child] = [:]
    }

    private let families = Mutex<[String: Family]>([:])

    /// Makes an empty registry.
    public init() {}

    /// The counter of this name and these labels. Names of counters end in `_total`.
    public func counter(_ name: String, _ help: String, labels: Labels = [:]) -> Counter {
        let child = child(name, help, .counter, labels) { .counter(Counter()) }
        guard case .counter(let counter) = child else { preconditionFailure("\(name) is read from elsewhere") }
        return counter
    }

    /// A counter whose value is kept elsewhere and asked for when the metrics are read.
    public func counter(
        _ name: String, _ help: String, labels: Labels = [:], reading: @escaping @Sendable () -> Double
    ) {
        replace(name, help, .counter, labels, with: .reading(reading))
    }

    /// The gauge of this name and these labels.
    public func gauge(_ name: String, _ help: String, labels: Labels = [:]) -> Gauge {
        let child = child(name, help, .gauge, labels) { .gauge(Gauge()) }
        guard case .gauge(let gauge) = child else { preconditionFailure("\(name) is read from elsewhere") }
        return gauge
    }

    /// A gauge whose value is asked for when the metrics are read; NaN when there is none. Asking must be quick.
    public func gauge(
        _ name: String, _ help: String, labels: Labels = [:], reading: @escaping @Sendable () -> Double
    ) {
        replace(name, help, .gauge, labels, with: .reading(reading))
    }

    /// The histogram of this name and these labels. Names end in the unit: `_seconds`, `_commands`.
    public func histogram(
        _ name: String, _ help: String, labels: Labels = [:], buckets: Histogram.Buckets = .seconds
    ) -> Histogram {
        let child = child(name, help, .histogram, labels) { .histogram(Histogram(buckets)) }
        guard case .histogram(let histogram) = child else { preconditionFailure("\(name) is another kind") }
        return histogram
    }

    /// The content type that belongs to `text()`.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// All metrics in Prometheus' text format, sorted by name and labels.
    public func text() -> String {
        // Copied first: a reading that resolves metrics itself must not meet the lock.
        let all = families.withLock { $0 }
        var text = ""
        for (name, family) in all.sorted(by: { $0.key < $1.key }) {
            text += "# HELP \(name) \(Self.escapedHelp(family.help))\n# TYPE \(name) \(family.kind.rawValue)\n"
            for (labels, child) in family.children.sorted(by: { $0.key < $1.key }) {
                Self.append(child, name: name, labels: labels, to: &text)
            }
        }
        return text
    }

    private func child(
        _ name: String, _ help: String, _ kind: Kind, _ labels: Labels, make: () -> Child
    ) -> Child {
        let key = Self.labelText(labels)
        return families.withLock { families in
            if let known = families[name]?.children[key], families[name]?.kind == kind { return known }
            let child = make()
            Self.insert(child, name, help, kind, key, into: &families)
            return child
        }
    }

    private func replace(_ name: String, _ help: String, _ kind: Kind, _ labels: Labels, with child: Child) {
        let key = Self.labelText(labels)
        families.withLock { Self.insert(child, name, help, kind, key, into: &$0) }
    }

    private static func insert(
        _ child: Child, _ name: String, _ help: String, _ kind: Kind, _ key: String,
        into families: inout [String: Family]
    ) {
        precondition(isName(name, mayHaveColons: true), "\(name) is no metric name")
        precondition(families[name].map { $0.kind == kind } ?? true, "\(name) is another kind already")
        families[name, default: Family(kind: kind, help: help)].children[key] = child
    }

    private static func append(_ child: Child, name: String, labels: String, to text: inout String) {
        switch child {
        case .counter(let counter): text += "\(sample(name, labels)) \(counter.current)\n"
        case .gauge(let gauge): text += "\(sample(name, labels)) \(number(gauge.current))\n"
        case .reading(let read): text += "\(sample(name, labels)) \(number(read()))\n"
        case .histogram(let histogram):
            let snapshot = histogram.current
            var total = 0
            for (index, count) in snapshot.counts.enumerated() {
                total += count
                let bound = index < snapshot.bounds.count ? number(snapshot.bounds[index]) : "+Inf"
                let comma = labels.isEmpty ? "" : ","
                text += "\(name)_bucket{\(labels)\(comma)le=\"\(bound)\"} \(total)\n"
            }
            text += "\(sample(name + "_sum", labels)) \(number(snapshot.sum))\n"
            text += "\(sample(name + "_count", labels)) \(total)\n"
        }
    }

    private static func sample(_ name: String, _ labels: String) -> String {
        labels.isEmpty ? name : "\(name){\(labels)}"
    }

    private static func labelText(_ labels: Labels) -> String {
        if labels.isEmpty { return "" }
        return labels.sorted { $0.key < $1.key }.map { name, value in
            precondition(isName(name, mayHaveColons: false) && name != "le", "\(name) is no label name")
            return "\(name)=\"\(escapedLabel(value))\""
        }.joined(separator: ",")
    }

    private static func isName(_ name: String, mayHaveColons: Bool) -> Bool {
        !name.isEmpty
            && name.utf8.enumerated().allSatisfy { index, byte in
                switch byte {
                case 0x41...0x5A, 0x61...0x7A, 0x5F: true
                case 0x30...0x39: index > 0
                case 0x3A: mayHaveColons
                default: false
                }
            }
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int(exactly: value) { return String(whole) }
        return String(value)
    }

    private static func escapedHelp(_ text: String) -> String { escaped(text, quotes: false) }

    private static func escapedLabel(_ text: String) -> String { escaped(text, quotes: true) }

    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
