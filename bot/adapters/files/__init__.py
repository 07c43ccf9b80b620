"""What is read from and written to disk, but for a run's journal.

data_root       where files lie and what their names say
history         all symbols on one grid of bars: what a backtest reads
symbol_files    the files of one symbol, opened
candles         a run of candles, and what makes candles wrong
candle_files    candle files of every ending and layout, read and written
candle_tables   candles out of a table: which columns, which open times
tables          files of rows to named columns
packed          the bytes of a file, unpacked
layouts         other people's layouts: to read one more, begin here
row_order       rows in order of time, each once
ended           data that end: where what is held is settled
jumps           jumps of price, refused by file and row
funding         funding rates, and when funding settles
bar_funding     settlements laid on the bars they fall in
bar_marks       mark prices laid on bars: at the open, and the extremes inside
bar_realised    the realised variance of bars, from shorter candles inside
instruments     what the exchange says of symbols, a file a venue
forecasts       forecasts made elsewhere, laid on the grid
manifests       what a trained model's manifest says, its seal proved
models          trained models as safetensors and a manifest
commands        what a person asks of a running bot: a file a command, and the kill switch
trials          the register of trials: lines added and read
arrays          named arrays in one file, never a pickle
"""
