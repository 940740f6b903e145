import Commands

await WalletProgram.main()
