import Foundation

/// Checks JSON against the schema files of `specification/events`: the part of JSON Schema draft 7 that they use. A
/// keyword it does not know is an error of the schema, so that nothing in the files goes unchecked.
final class JSONSchema {
    /// The schema itself is wrong.
    struct Broken: Error, CustomStringConvertible {
        let description: String
    }

    private let folder: URL
    private var files: [String: [String: Any]] = [:]

    /// Schemas in a folder; they refer to each other by file name.
    init(folder: URL) {
        self.folder = folder
    }

    /// What is wrong with `value` by the schema in `file`; empty when nothing is. With `isClosed`, members that the
    /// schema does not describe are wrong, too: consumers must bear them, the service must not send them.
    func flaws(of value: Any, by file: String, isClosed: Bool = true) throws -> [String] {
        var flaws: [String] = []
        let schema = try load(file)
        try check(value, schema, "", isClosed, &flaws)
        return flaws
    }

    private func load(_ file: String) throws -> [String: Any] {
        if let schema = files[file] { return schema }
        let data = try Data(contentsOf: folder.appending(path: file))
        guard let schema = try JSONSerialization.jsonObject(with: data) as? [String: Any] else {
            throw Broken(description: "\(file) is no object")
        }
        files[file] = schema
        return schema
    }

    private static let annotations: Set<String> = ["$schema", "title", "description"]

    private func check(
        _ value: Any, _ schema: [String: Any], _ path: String, _ isClosed: Bool, _ flaws: inout [String]
    ) throws {
        for (keyword, rule) in schema where !Self.annotations.contains(keyword) {
            switch keyword {
            case "$ref": try check(value, load(text(rule)), path, isClosed, &flaws)
            case "type": if try !Self.is(value, text(rule)) { flaws.append("\(path) is no \(rule)") }
            case "const": if !Self.same(value, rule) { flaws.append("\(path) is \(value), not \(rule)") }
            case "enum":
                let choices = try list(rule)
                if !choices.contains(where: { Self.same(value, $0) }) { flaws.append("\(path) is \(value)") }
            case "oneOf":
                let fitting = try list(rule).filter { try fits(value, object($0), path) }
                if fitting.count != 1 { flaws.append("\(path) fits \(fitting.count) of the alternatives") }
            case "not": if try fits(value, object(rule), path) { flaws.append("\(path) has what it must not have") }
            case "pattern", "minLength", "maxLength": try checkText(value, keyword, rule, path, &flaws)
            case "minimum", "maximum": try checkNumber(value, keyword, rule, path, &flaws)
            case "items", "minItems", "maxItems": try checkArray(value, keyword, rule, path, isClosed, &flaws)
            case "required", "properties": try checkObject(value, keyword, rule, path, isClosed, &flaws)
            default: throw Broken(description: "the keyword \(keyword) at \(path) is not checked here")
            }
        }
    }

    private func fits(_ value: Any, _ schema: [String: Any], _ path: String) throws -> Bool {
        var flaws: [String] = []
        try check(value, schema, path, false, &flaws)
        return flaws.isEmpty
    }

    private func checkText(
        _ value: Any, _ keyword: String, _ rule: Any, _ path: String, _ flaws: inout [String]
    ) throws {
        guard let value = value as? String else { return }
        let isRight =
            switch keyword {
            case "pattern": try value.contains(Regex(text(rule)))
            case "minLength": try value.unicodeScalars.count >= number(rule)
            default: try value.unicodeScalars.count <= number(rule)
            }
        if !isRight { flaws.append("\(path) is \"\(value)\", against \(keyword) \(rule)") }
    }

    private func checkNumber(
        _ value: Any, _ keyword: String, _ rule: Any, _ path: String, _ flaws: inout [String]
    ) throws {
        guard let value = value as? Int else { return }
        let isRight = try keyword == "minimum" ? value >= number(rule) : value <= number(rule)
        if !isRight { flaws.append("\(path) is \(value), against \(keyword) \(rule)") }
    }

    private func checkArray(
        _ value: Any, _ keyword: String, _ rule: Any, _ path: String, _ isClosed: Bool, _ flaws: inout [String]
    ) throws {
        guard let items = value as? [Any] else { return }
        switch keyword {
        case "minItems": if try items.count < number(rule) { flaws.append("\(path) has \(items.count) items") }
        case "maxItems": if try items.count > number(rule) { flaws.append("\(path) has \(items.count) items") }
        default:
            for (index, item) in items.enumerated() {
                try check(item, object(rule), "\(path)[\(index)]", isClosed, &flaws)
            }
        }
    }

    private func checkObject(
        _ value: Any, _ keyword: String, _ rule: Any, _ path: String, _ isClosed: Bool, _ flaws: inout [String]
    ) throws {
        guard let members = value as? [String: Any] else { return }
        if keyword == "required" {
            for name in try list(rule) where try members[text(name)] == nil {
                flaws.append("\(path) has no \(name)")
            }
            return
        }
        let known = try object(rule)
        for (name, member) in members {
            if let schema = known[name] {
                try check(member, object(schema), "\(path).\(name)", isClosed, &flaws)
            } else if isClosed {
                flaws.append("\(path) has a member \(name) that the schema does not describe")
            }
        }
    }

    private static func `is`(_ value: Any, _ type: String) throws -> Bool {
        switch type {
        case "object": return value is [String: Any]
        case "array": return value is [Any]
        case "string": return value is String
        // Foundation takes 1 for true and 1.0 for 1; how it was written is in the number's own type.
        case "integer":
            let type = (value as? NSNumber).map { String(cString: $0.objCType) } ?? ""
            return value is Int && ["i", "q"].contains(type)
        default: throw Broken(description: "the type \(type) is not checked here")
        }
    }

    private static func same(_ one: Any, _ other: Any) -> Bool {
        (one as? AnyHashable) == (other as? AnyHashable)
    }

    private func text(_ rule: Any) throws -> String {
        guard let text = rule as? String else { throw Broken(description: "\(rule) is no text") }
        return text
    }

    private func number(_ rule: Any) throws -> Int {
        guard let number = rule as? Int else { throw Broken(description: "\(rule) is no whole number") }
        return number
    }

    private func list(_ rule: Any) throws -> [Any] {
        guard let list = rule as? [Any] else { throw Broken(description: "\(rule) is no list") }
        return list
    }

    private func object(_ rule: Any) throws -> [String: Any] {
        guard let object = rule as? [String: Any] else { throw Broken(description: "\(rule) is no object") }
        return object
    }
}
