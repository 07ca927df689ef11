# /// row
# summary = "Whole: ModuleDict and functional pooling; a schedule, early stopping, best weights from a copy; ToTensor alone"
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
def im2col(X, k):
    h, w, d = X.shape
    wiersze = [X[i:i + k, j:j + k].ravel() for i in range(h - k + 1) for j in range(w - k + 1)]
    return np.stack(wiersze)

def convolution(X, K, q: int):
    X, K = np.array(X), np.array(K)
    k = len(K)
    return np.dot(im2col(X, k), K.reshape(-1, q)).reshape(X.shape[0] - k + 1, -1, q)

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
class Siec(nn.Module):
    def __init__(self, filtry=(8, 12), pool=None, gap=False, bn=False, **kw):
        super().__init__()
        self.bloki = nn.ModuleDict()
        kanaly = IMAGE_SHAPE[0]
        for nr, f in enumerate(filtry):
            blok = {"conv": nn.Conv2d(kanaly, f, 3, **kw), "act": nn.ELU()}
            if bn:
                blok["bn"] = nn.BatchNorm2d(f, track_running_stats=False)
            self.bloki[f"blok{nr}"] = nn.ModuleDict(blok)
            kanaly = f
        self.pool, self.gap = pool, gap
        self.glowa = nn.LazyLinear(10)
        self.forward(torch.zeros(2, *IMAGE_SHAPE))

    def forward(self, x):
        for nr, blok in enumerate(self.bloki.values()):
            x = blok["act"](blok["conv"](x))
            x = blok["bn"](x) if "bn" in blok else x
            if self.pool is not None and nr < 2:
                x = self.pool(x, kernel_size=2)
        self.ostatnia = x
        if self.gap:
            x = F.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1)
        return self.glowa(torch.flatten(x, 1))

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

import copy

def ucz(name, model, epoki=4, cierpliwosc=2):
    # harmonogram, wczesne zatrzymanie i najlepsze wagi z kopii
    print(summary(model, input_size=(1, *IMAGE_SHAPE), verbose=0))
    trening, val = random_split(trainset, [0.9, 0.1], generator=torch.Generator().manual_seed(1))
    loader = DataLoader(trening, batch_size=64, shuffle=True)
    opt = optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True)
    plan = optim.lr_scheduler.OneCycleLR(opt, max_lr=0.1, total_steps=epoki * len(loader))
    historia, najlepsza, wagi, bez_poprawy = pusta(), float("inf"), None, 0
    for epoka in range(epoki):
        model.train()
        straty = []
        for x, y in loader:
            strata = nn.CrossEntropyLoss()(model(x.to(DEVICE)), y.to(DEVICE))
            opt.zero_grad(set_to_none=True)
            strata.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 2.0)
            opt.step()
            plan.step()
            straty.append(strata.item())
        dopisz(historia, sum(straty) / len(straty), model, val)
        if historia["val_loss"][-1] < najlepsza:
            najlepsza, wagi, bez_poprawy = historia["val_loss"][-1], copy.deepcopy(model.state_dict()), 0
        else:
            bez_poprawy += 1
            if bez_poprawy >= cierpliwosc:
                break
    model.load_state_dict(wagi)
    ocen(name, model, historia)

# %% task3_baseline
ucz("baseline", Siec())
rysuj("baseline")

# %% task4_exp1
ucz("max_pool", Siec(pool=F.max_pool2d))
ucz("avg_pool", Siec(pool=F.avg_pool2d))

# %% task4_exp2
ucz("gap", Siec(pool=F.max_pool2d, gap=True))

# %% task4_exp3
ucz("regularized", Siec(pool=F.max_pool2d, gap=True, bn=True))

# %% task4_exp4
ucz("deep", Siec((8, 12, 16), pool=F.max_pool2d, gap=True, bn=True))

# %% task4_exp5
ucz("custom", Siec((8, 12), gap=True, bn=True, stride=2, dilation=2))
rysuj(*models)

# %% task4_comparison
Pooling i BatchNorm pomogły.

# %% task4_exp5_answer
Chciałem większego pola recepcyjnego.

# %% task5_cam
@torch.no_grad()
def cam(model, image, class_index):
    model.eval()
    model(image[None].to(DEVICE))
    mapy = model.ostatnia[0].cpu()
    return sum(w * m for w, m in zip(model.glowa.weight[class_index].cpu(), mapy)).numpy()
