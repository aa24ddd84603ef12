"""What a run will cost and how long it will take, before a cent is spent: pure arithmetic over what was counted.

May import plain data: prices, usage, money. Reading inputs and ledgers is the pipeline's business.
"""
