# /// row
# summary = "Task 1: a decorator makes arrays of tensors, the body sees NumPy only"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
import functools

def na_numpy(funkcja):
    @functools.wraps(funkcja)
    def wrapper(X, K, q):
        return torch.from_numpy(funkcja(np.array(X), np.array(K), q))
    return wrapper

@na_numpy
def convolution(X, K, q: int):
    k = K.shape[0]
    h, w = X.shape[0] - k + 1, X.shape[1] - k + 1
    M = np.zeros((h, w, q), dtype=np.result_type(X, K))
    for (a, b), wagi in zip(np.ndindex(k, k), K.reshape(k * k, K.shape[2], q)):
        M += X[a:a + h, b:b + w] @ wagi
    return M
