"""The authors' simulator, told in our own words: what it does, whether or not it should.

Facts from their public MATLAB code, TingyangSunJeff/load_balance_llm_simulator (MIT), src/tests and src/algorithms.
Times are milliseconds here, as they are there, since some of its constants have no unit.
"""
