import Foundation
import JSON
import TestSupport
import Testing

extension SystemTests {
    /// The documents that clients hold in their hands, against the running service.
    @Suite struct ContractTests {
        /// Requests made from the OpenAPI document, good and bad: no 5xx, and every answer is one that it announces.
        /// Once with ids that come as they come, and once aimed at a wallet and a pending transfer that exist.
        @Test(.timeLimit(.minutes(6)), arguments: [false, true])
        func answersAreWhatTheOpenAPIDocumentAnnounces(aimed: Bool) async throws {
            let stack = try await WalletStack.shared()
            let seed = TestRandom().seed % (1 << 31)
            let document = "\(WalletProgram.root)/specification/openapi.yaml"
            try #require(FileManager.default.fileExists(atPath: document), "there is no \(document)")
            var configuration = Self.configuration
            if aimed {
                let wallet = try await FaultTests.makeWallets(1, stack)[0]
                let made = await stack.apis[0].answer(
                    .post("/v1/wallet/\(wallet)/transfers/credit", #"{"amount":"7.00"}"#))
                let transfer = try #require(made?.json["id"]?.string)
                configuration += "\n[parameters]\n\"path.wallet_id\" = \"\(wallet)\"\n"
                configuration += "\"path.transfer_id\" = \"\(transfer)\"\n"
            }
            let file = try stack.folder.write(configuration, to: "schemathesis-\(aimed).toml")
            let run = try await PeerPrograms.run(
                "schemathesis",
                [
                    "--no-color", "--config-file", file, "run", document,
                    "--url", "http://127.0.0.1:\(stack.apis[0].port)", "--seed", String(seed),
                    "--phases", aimed ? "examples,coverage,fuzzing" : "coverage,fuzzing,stateful", "--workers", "1",
                    "--max-examples", "20", "--max-time", "30", "--checks", "all", "--exclude-checks", "ignored_auth",
                    "--continue-on-failure", "--no-shrink", "--request-timeout", "20", "--warnings", "off",
                ],
                in: stack.folder, within: .seconds(240))
            #expect(run.end == .exit(0), "\(run.output.suffix(12_000))\n\(stack.logTails)")
            #expect(await stack.apis[0].isReady)
        }

        /// Well-formed requests may be refused for the state of a wallet, and for rules that a schema cannot say.
        private static let configuration = """
            hooks = "\(WalletProgram.root)/scripts/lib/contract_hooks.py"

            [checks]
            positive_data_acceptance.expected-statuses = ["2xx", "400", "404", "409", "412", "422"]
            negative_data_rejection.expected-statuses = ["400", "404", "405", "413", "414", "415", "422", "431"]
            unsupported_method.enabled = true

            [generation]
            database = "none"

            """

        /// The Postman collection as a newcomer runs it, scripts and all.
        @Test(.timeLimit(.minutes(5))) func postmanCollectionRunsFromTopToBottom() async throws {
            let stack = try await WalletStack.shared()
            let specification = "\(WalletProgram.root)/specification"
            // Twice: a run depends on nothing that an earlier one left.
            for _ in 0..<2 {
                let run = try await PeerPrograms.run(
                    "python",
                    [
                        "\(WalletProgram.root)/scripts/lib/contract_postman.py",
                        "\(specification)/postman_collection.json", "\(specification)/postman_environment.json",
                        "base_url=http://127.0.0.1:\(stack.apis[1].port)",
                    ],
                    in: stack.folder, within: .seconds(120))
                let failed = run.output.split(separator: "\n").filter { !$0.hasPrefix("ok ") }
                #expect(run.end == .exit(0), "\(failed.joined(separator: "\n"))\n\(stack.logTails)")
            }
        }

        /// The runner of the collection notices a failed assertion, a missing variable and a script that throws.
        @Test(
            .timeLimit(.minutes(5)),
            arguments: [
                (#"pm.test('t', function () { pm.response.to.have.status(299); });"#, "/v1/health"),
                (#"pm.test('t', function () { pm.expect([1]).to.not.include(1); });"#, "/v1/health"),
                (#"pm.test('t', function () { pm.response.to.have.status(200); });"#, "/v1/{{nobody}}"),
                (#"pm.unheard('of');"#, "/v1/health"),
                ("", "/v1/health"),
            ])
        func runnerOfTheCollectionNoticesAFailure(script: String, path: String) async throws {
            let stack = try await WalletStack.shared()
            let name = "collection-\(UUID().uuidString).json"
            let file = try stack.folder.write(
                """
                {"item": [{"name": "r", "request": {"method": "GET", "url": "{{base_url}}\(path)"},
                    "event": [{"listen": "test", "script": {"exec": ["\(script)"]}}]}]}
                """, to: name)
            let environment = try stack.folder.write(#"{"values": []}"#, to: "environment-\(name)")
            let run = try await PeerPrograms.run(
                "python",
                [
                    "\(WalletProgram.root)/scripts/lib/contract_postman.py", file, environment,
                    "base_url=http://127.0.0.1:\(stack.apis[0].port)",
                ],
                in: stack.folder, within: .seconds(60))
            #expect(run.end == .exit(1), "\(run.output)")
            #expect(run.output.contains("FAILED"))
        }
    }
}
