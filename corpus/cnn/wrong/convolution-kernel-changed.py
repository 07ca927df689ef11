# /// row
# summary = "Task 1: right, but K is scaled in place and not scaled back"
# [loses.task1_convolution_tests]
# "The inputs are left unchanged" = "changes X or K"
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    skala = 2.0
    K *= skala
    X_, K_ = np.asarray(X), np.asarray(K)
    k = K_.shape[0]
    okna = np.lib.stride_tricks.sliding_window_view(X_, (k, k), axis=(0, 1))
    return np.einsum("ijdab,abdq->ijq", okna, K_) / skala
