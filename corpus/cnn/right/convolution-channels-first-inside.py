# /// row
# summary = "Task 1: PyTorch's order of axes inside, while loops, the axes put back at the end"
# right = ["task1_convolution_tests"]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    # kolejność jak w PyTorchu: obraz (d, h, w), filtry (q, d, k, k)
    obraz = torch.as_tensor(X).permute(2, 0, 1)
    filtry = torch.as_tensor(K).permute(3, 2, 0, 1)
    k = filtry.shape[-1]
    M = obraz.new_empty(q, obraz.shape[1] - k + 1, obraz.shape[2] - k + 1)
    i = 0
    while i < M.shape[1]:
        j = 0
        while j < M.shape[2]:
            okno = obraz.narrow(1, i, k).narrow(2, j, k)
            M[:, i, j] = torch.einsum("dab,qdab->q", okno, filtry)
            j += 1
        i += 1
    return M.permute(1, 2, 0)
