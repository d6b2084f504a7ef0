"""The live loop: watches a cluster, decides for the pods that wait, binds them and says what it did."""
