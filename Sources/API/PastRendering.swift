import JSON
import Ledger
import LedgerStore
import Projections

extension JSONWriter {
    /// A journal entry with the balances after it and what it booked.
    mutating func entry(_ line: StatementLine, of asset: Asset) {
        let entry = line.entry
        beginObject()
        member("wallet_id", entry.walletID.uuid)
        member("version", entry.version)
        member("kind", entry.kind.word)
        member("transfer_id", entry.transferID?.uuid)
        member("direction", entry.direction?.word)
        money("amount", entry.amount, of: asset)
        member("asset", asset.code)
        money("change", entry.settledAmount, of: asset)
        money("balance", entry.balance, of: asset)
        money("pending_debit", entry.pendingDebit, of: asset)
        money("pending_credit", entry.pendingCredit, of: asset)
        money("overdraft_limit", entry.overdraftLimit, of: asset)
        member("wallet_status", entry.status.word)
        member("counterparty_wallet_id", entry.counterparty?.uuid)
        member("purpose", line.creation?.purpose?.word)
        member("reverses", entry.related?.uuid)
        member("reference_id", entry.key?.reference)
        member("description", entry.description)
        member("note", entry.note)
        member("metadata", rawText: entry.metadata)
        member("expires_at", entry.expiresAt)
        member("actor", entry.actor)
        member("occurred_at", entry.occurredAt)
        lines(line.lines, of: asset)
        endObject()
    }

    /// Signed lines of a booking.
    mutating func lines(_ lines: [AccountLine], of asset: Asset) {
        array("lines") { writer in
            for line in lines {
                writer.beginObject()
                writer.member("account", line.account.text)
                writer.money("amount", line.amount, of: asset)
                writer.endObject()
            }
        }
    }

    fileprivate mutating func balances(
        _ name: StaticString, _ balance: Int128?, _ pendingDebit: Int128?, _ pendingCredit: Int128?, of asset: Asset
    ) {
        object(name) { writer in
            writer.sum("balance", balance, of: asset)
            writer.sum("pending_debit", pendingDebit, of: asset)
            writer.sum("pending_credit", pendingCredit, of: asset)
        }
    }

    private mutating func sum(_ name: StaticString, _ sum: Int128?, of asset: Asset) {
        if let sum { return money(name, sum, of: asset) }
        self.name(name)
        null()
    }
}

extension Answer {
    /// A page of anything.
    private static func page<Item>(
        _ items: [Item], next: PageCursor?, _ write: (Item, inout JSONWriter) -> Void
    ) -> Answer {
        var writer = JSONWriter(capacity: 64 + items.count * 768)
        writer.beginObject()
        writer.array("items") { writer in
            for item in items { write(item, &writer) }
        }
        writer.member("next_cursor", next?.text)
        writer.endObject()
        return Answer(status: 200, body: writer.finish())
    }

    /// A page of wallets.
    static func wallets(_ wallets: [Wallet], next: PageCursor?) -> Answer {
        page(wallets, next: next) { wallet, writer in writer.wallet(wallet) }
    }

    /// A page of a wallet's journal.
    static func entries(_ lines: [StatementLine], of asset: Asset, next: PageCursor?) -> Answer {
        page(lines, next: next) { line, writer in writer.entry(line, of: asset) }
    }

    /// A wallet's balances as an entry left them.
    static func balance(of wallet: Wallet) -> Answer {
        var writer = JSONWriter(capacity: 384)
        writer.beginObject()
        writer.member("wallet_id", wallet.id.uuid)
        writer.member("asset", wallet.asset.code)
        writer.money("balance", wallet.balance, of: wallet.asset)
        writer.money("pending_debit", wallet.pendingDebit, of: wallet.asset)
        writer.money("pending_credit", wallet.pendingCredit, of: wallet.asset)
        writer.money("available", wallet.available, of: wallet.asset)
        writer.money("overdraft_limit", wallet.overdraftLimit, of: wallet.asset)
        writer.member("status", wallet.status.word)
        writer.member("version", wallet.version)
        writer.member("as_of", wallet.updatedAt)
        writer.endObject()
        var answer = Answer(status: 200, body: writer.finish())
        answer.headers.appendTag(wallet.version)
        return answer
    }

    /// A wallet's balances as stored and as its journal sums up to.
    static func audit(_ audit: BalanceAudit) -> Answer {
        let wallet = audit.wallet
        var writer = JSONWriter(capacity: 512)
        writer.beginObject()
        writer.member("wallet_id", wallet.id.uuid)
        writer.member("asset", wallet.asset.code)
        writer.member("version", wallet.version)
        writer.member("entries", audit.entries)
        writer.member("clean", audit.isClean)
        writer.balances("stored", wallet.balance, wallet.pendingDebit, wallet.pendingCredit, of: wallet.asset)
        writer.balances("derived", audit.balance, audit.pendingDebit, audit.pendingCredit, of: wallet.asset)
        writer.array("discrepancies") { writer in
            for discrepancy in audit.discrepancies {
                writer.beginObject()
                writer.member("version", discrepancy.version)
                writer.member("problem", discrepancy.problem)
                writer.endObject()
            }
        }
        writer.endObject()
        return Answer(status: 200, body: writer.finish())
    }

    /// A transfer as all its wallets have it, with its entries and what they book.
    static func transaction(_ details: TransferDetails, of asset: Asset) -> Answer {
        var writer = JSONWriter(capacity: 4096)
        writer.beginObject()
        writer.array("transfers") { writer in
            for side in details.sides { writer.transfer(side.receipt) }
        }
        writer.array("entries") { writer in
            for side in details.sides {
                for line in side.entries { writer.entry(line, of: asset) }
            }
        }
        let lines = details.lines
        writer.lines(lines, of: asset)
        writer.money("sum", lines.reduce(0) { $0 + $1.amount }, of: asset)
        writer.endObject()
        return Answer(status: 200, body: writer.finish())
    }

    /// A page of a wallet's totals.
    static func totals(
        _ periods: [PeriodTotals], _ period: TotalsPeriod, of wallet: Wallet, version: Int64, next: PageCursor?
    ) -> Answer {
        var writer = JSONWriter(capacity: 256 + periods.count * 160)
        writer.beginObject()
        writer.member("wallet_id", wallet.id.uuid)
        writer.member("asset", wallet.asset.code)
        writer.member("granularity", period.rawValue)
        writer.member("version", version)
        writer.array("items") { writer in
            for totals in periods {
                writer.beginObject()
                writer.member("period", String(totals.begin.text.prefix(period == .day ? 10 : 7)))
                writer.member("debit_amount", totals.debitAmount.text(scale: wallet.asset.scale))
                writer.member("credit_amount", totals.creditAmount.text(scale: wallet.asset.scale))
                writer.member("debit_count", totals.debitCount)
                writer.member("credit_count", totals.creditCount)
                writer.endObject()
            }
        }
        writer.member("next_cursor", next?.text)
        writer.endObject()
        return Answer(status: 200, body: writer.finish())
    }

    /// The balances of the accounts that are no wallets.
    static func world(_ accounts: [OutsideAccount]) -> Answer {
        page(accounts, next: nil) { account, writer in
            writer.beginObject()
            writer.member("asset", account.asset.code)
            writer.member("account", account.account.text)
            writer.member("balance", account.balance.text(scale: account.asset.scale))
            writer.endObject()
        }
    }
}
