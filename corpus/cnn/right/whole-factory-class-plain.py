# /// row
# summary = "Whole: a factory of Sequential networks, CAM by a hook; a trainer class with pandas and tqdm; ToTensor alone"
# right = [
#     "task1_convolution_tests",
#     "task2_case_1_tests",
#     "task2_case_2_tests",
#     "task2_case_3_tests",
#     "task3_architecture_tests",
#     "task3_training_tests",
#     "task3_accuracy_tests",
#     "task4_exp1_tests",
#     "task4_exp2_tests",
#     "task4_exp3_tests",
#     "task4_exp4_tests",
#     "task4_exp5_tests",
#     "task4_single_loop_tests",
#     "task5_cam_tests",
# ]
# ///

# %% task1_convolution
def convolution(X, K, q: int):
    X, K = torch.as_tensor(X).float(), torch.as_tensor(K).float()
    k = K.shape[0]
    h, w, _ = X.shape
    M = torch.zeros(h - k + 1, w - k + 1, q)
    for i in range(h - k + 1):
        for j in range(w - k + 1):
            okno = X[i:i + k, j:j + k]
            for f in range(q):
                M[i, j, f] = (okno * K[..., f]).sum()
    return M

# %% task2_case_1
case_1 = nn.Conv2d(3, 64, kernel_size=(10, 10), stride=4, padding=(2, 2), dilation=1)

# %% task2_case_2
case_2 = nn.Conv2d(1, 1, (3, 2), (1, 2), 0, 1, bias=False)

# %% task2_case_3
k = 3
case_3 = nn.Conv2d(16, 16, k, stride=(1, 1), padding='valid', dilation=(2, 2), groups=16)

# %% task3_data
DATASET = "FashionMNIST"
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
transform = transforms.ToTensor()
trainset = datasets.FashionMNIST("./data", train=True, download=True, transform=transform)
testset = datasets.FashionMNIST(root="./data", train=False, download=True, transform=transform)
if os.environ.get("NBGRADER_EXECUTION") == "validate":
    for d in (trainset, testset):
        d.data, d.targets = d.data[:600], d.targets[:600]
IMAGE_SHAPE = tuple(testset[0][0].shape)
models, histories, results = {}, {}, {}

# %% task3_model
def siec(pool=None, gap=False, reg=(), wiecej=(), **opcje):
    # fabryka: lista warstw, potem Sequential
    warstwy = [nn.Conv2d(IMAGE_SHAPE[0], 12, 3, **opcje), nn.ReLU(inplace=True)]
    warstwy += [pool(2)] if pool else []
    warstwy += [nn.Conv2d(12, 24, 3, **opcje), *[r(24) for r in reg], nn.ReLU(inplace=True)]
    warstwy += [pool(2)] if pool else []
    for a, b in zip([24, *wiecej], wiecej):
        warstwy += [nn.Conv2d(a, b, 3, padding=1), nn.ReLU(inplace=True)]
    warstwy += [nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten()] if gap else [nn.Flatten()]
    model = nn.Sequential(*warstwy, nn.LazyLinear(10))
    model(torch.zeros(1, *IMAGE_SHAPE))
    return model.to(DEVICE)

# %% task3_training
from sklearn.metrics import accuracy_score, f1_score

@torch.no_grad()
def przewiduj(model, dane):
    model.eval()
    wyniki, etykiety = [], []
    for x, y in DataLoader(dane, batch_size=200):
        wyniki.append(model(x.to(DEVICE)).cpu())
        etykiety.append(y)
    return torch.cat(wyniki), torch.cat(etykiety)

def ocen(name, model, historia):
    s, y = przewiduj(model, testset)
    models[name], histories[name] = model, historia
    results[name] = dict(accuracy=accuracy_score(y, s.argmax(1)), f1=f1_score(y, s.argmax(1), average="macro"),
                         parameters=sum(p.numel() for p in model.parameters()))
    print(name, results[name])

def pusta():
    return {k: [] for k in ("train_loss", "val_loss", "val_accuracy")}

def dopisz(historia, strata, model, val):
    s, y = przewiduj(model, val)
    historia["train_loss"].append(strata)
    historia["val_loss"].append(F.cross_entropy(s, y).item())
    historia["val_accuracy"].append((s.argmax(1) == y).float().mean().item())

def rysuj(*nazwy):
    for nazwa in nazwy:
        plt.plot(histories[nazwa]["train_loss"], label=f"{nazwa} ucz.")
        plt.plot(histories[nazwa]["val_loss"], "--", label=f"{nazwa} wal.")
    plt.legend(); plt.show()

import pandas as pd
from tqdm.auto import tqdm

class Trener:
    def __init__(self, model, lr=0.01):
        self.model = model
        self.opt = optim.AdamW(model.parameters(), lr=lr)
        self.wiersze = []

    def krok(self, x, y):
        self.opt.zero_grad()
        strata = F.nll_loss(F.log_softmax(self.model(x), dim=1), y)
        strata.backward()
        self.opt.step()
        return strata.detach()

    def epoka(self, loader):
        self.model.train()
        return torch.stack([self.krok(x.to(DEVICE), y.to(DEVICE)) for x, y in tqdm(loader, leave=False)]).mean().item()

    def ucz(self, trening, val, epoki=3):
        for _ in range(epoki):
            strata = self.epoka(DataLoader(trening, batch_size=100, shuffle=True))
            s, y = przewiduj(self.model, val)
            self.wiersze.append({"train_loss": strata, "val_loss": F.cross_entropy(s, y).item(),
                                 "val_accuracy": accuracy_score(y, s.argmax(1))})
        return pd.DataFrame(self.wiersze)

def ucz(name, model):
    print(summary(model, (1, *IMAGE_SHAPE)))
    n = int(0.85 * len(trainset))
    czesc = torch.utils.data.Subset
    tabela = Trener(model).ucz(czesc(trainset, range(n)), czesc(trainset, range(n, len(trainset))))
    display(tabela)
    ocen(name, model, tabela.to_dict("list"))

# %% task3_baseline
ucz("baseline", siec())
rysuj("baseline")

# %% task4_exp1
ucz("max_pool", siec(nn.MaxPool2d))
ucz("avg_pool", siec(nn.AvgPool2d))

# %% task4_exp2
ucz("gap", siec(nn.MaxPool2d, gap=True))

# %% task4_exp3
ucz("regularized", siec(nn.MaxPool2d, True, [nn.BatchNorm2d]))

# %% task4_exp4
ucz("deep", siec(nn.MaxPool2d, True, [nn.BatchNorm2d], [16, 24]))

# %% task4_exp5
ucz("custom", siec(nn.MaxPool2d, True, [nn.BatchNorm2d], [16], padding=2, dilation=2))
rysuj(*models)

# %% task4_comparison
Pooling i BatchNorm pomogły.

# %% task4_exp5_answer
Chciałem większego pola recepcyjnego.

# %% task5_cam
def cam(model, image, class_index):
    # odcinam głowicę: wszystko przed GAP
    warstwy = list(model.children())
    gdzie = next(i for i, w in enumerate(warstwy) if isinstance(w, nn.AdaptiveAvgPool2d))
    mapy = nn.Sequential(*warstwy[:gdzie]).eval()(image[None].to(DEVICE))[0]
    return torch.tensordot(warstwy[-1].weight[class_index], mapy, dims=1).detach()
